//! The identity provider of the benchmark: writes its key set and signed subject tokens into a folder, or measures the
//! minimum cost of an exchange without the cache.
#![allow(clippy::print_stdout, reason = "the figure is this program's output")]

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use obo_gateway::clock::{Clock, SystemClock};
use obo_gateway::jose::{Algorithm, SigningKey, SigningKeys, UnverifiedJws};
use obo_gateway::token::RawToken;
use serde_json::{Map, Value, json};

#[derive(Parser)]
struct Arguments {
    /// The folder for `jwks.json` and the files of tokens, `tokens.0`, `tokens.1` and so on, with one token per line.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Number of files of tokens. All tokens are different.
    #[arg(long, default_value_t = 1)]
    files: usize,
    /// Tokens in each file.
    #[arg(long, default_value_t = 1)]
    tokens: usize,
    /// The algorithm of the tokens' signatures.
    #[arg(long, value_enum, default_value_t = Signature::EdDSA)]
    algorithm: Signature,
    /// Instead of writing: verify and sign a token this many times, and print the CPU time of one such pair in µs.
    #[arg(long)]
    time: Option<u32>,
}

#[derive(Clone, Copy, ValueEnum)]
#[allow(clippy::upper_case_acronyms, reason = "the names of RFC 7518")]
enum Signature {
    #[value(name = "ES256")]
    ES256,
    #[value(name = "EdDSA")]
    EdDSA,
    #[value(name = "RS256")]
    RS256,
}

impl From<Signature> for Algorithm {
    fn from(signature: Signature) -> Self {
        match signature {
            Signature::ES256 => Self::ES256,
            Signature::EdDSA => Self::EdDSA,
            Signature::RS256 => Self::RS256,
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let key = SigningKey::generate(arguments.algorithm.into())?.key;
    match (arguments.time, &arguments.out) {
        (Some(times), _) => println!("{:.3}", verify_and_sign(&key, times)?),
        (None, Some(folder)) => write(folder, key, &arguments)?,
        (None, None) => return Err("say --out or --time".into()),
    }
    Ok(())
}

fn write(
    folder: &std::path::Path,
    key: SigningKey,
    arguments: &Arguments,
) -> Result<(), Box<dyn Error>> {
    for file in 0..arguments.files {
        let mut tokens = BufWriter::new(File::create(folder.join(format!("tokens.{file}")))?);
        for id in 0..arguments.tokens {
            let token = key.sign("at+jwt", &claims(&format!("{file}-{id}")))?;
            writeln!(tokens, "{token}")?;
        }
        tokens.flush()?;
    }
    let keys = SigningKeys::new([key]).ok_or("no key")?;
    Ok(fs::write(folder.join("jwks.json"), keys.jwks())?)
}

/// The claims of an ordinary access token.
fn claims(id: &str) -> Map<String, Value> {
    let now = SystemClock.now().as_secs();
    let claims = json!({
        "iss": "https://idp.example.com",
        "sub": format!("1f0e6d9a-7b1c-4d0e-9c55-{id}"),
        "aud": "portal",
        "iat": now,
        "exp": now + 6 * 3_600,
        "jti": id,
        "client_id": "web",
        "scope": "openid profile email orders.read orders.write invoices.read",
    });
    claims.as_object().cloned().unwrap_or_default()
}

fn verify_and_sign(key: &SigningKey, times: u32) -> Result<f64, Box<dyn Error>> {
    let verifier = key.verification_key()?;
    let claims = claims("0-0");
    let token = RawToken::from(key.sign("at+jwt", &claims)?);
    let before = cpu_nanoseconds()?;
    for _ in 0..times {
        let verified = verifier.verify(UnverifiedJws::parse(&token)?, &[key.alg()])?;
        std::hint::black_box(verified);
        std::hint::black_box(key.sign("at+jwt", &claims)?);
    }
    let spent = cpu_nanoseconds()? - before;
    Ok(spent as f64 / 1_000.0 / f64::from(times))
}

/// The time that this process has run on a core (proc_pid_schedstat: first field).
fn cpu_nanoseconds() -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/self/schedstat")?;
    Ok(text.split(' ').next().unwrap_or_default().parse()?)
}
