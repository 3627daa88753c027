//! The destinations of log lines: a file that is appended to, or standard error.

use crate::settings::{Building, Effects};
use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::Path,
};

/// A writer of whole lines that detects partial writes.
pub(super) struct LineSink {
    out: Out,
    torn: bool,
}

enum Out {
    /// Locked for a whole batch, because the gateway's own log writes there too and a pipe takes long batches in parts.
    StandardError,
    Other(Box<dyn Write + Send>),
}

impl LineSink {
    pub(super) fn new(out: Box<dyn Write + Send>) -> Self {
        Self::of(Out::Other(out))
    }

    const fn of(out: Out) -> Self {
        Self { out, torn: false }
    }

    /// Opens `file`, or standard error. Reports a finding if it cannot be appended to.
    pub(super) fn open(file: Option<&Path>, building: &mut Building<'_>) -> Option<Self> {
        let Some(file) = file else {
            return Some(Self::of(Out::StandardError));
        };
        let path = building.base.resolve(file);
        match open_for_append(&path, building.effects) {
            Ok(Some(opened)) => Some(Self::new(Box::new(opened))),
            Ok(None) => Some(Self::new(Box::new(io::sink()))),
            Err(error) => {
                building.findings.within("file", |findings| {
                    findings.error(
                        format!("{} cannot be appended to: {error}", path.display()),
                        "name a file in a folder that exists and that the gateway may write to",
                    );
                });
                None
            }
        }
    }

    /// Writes `lines` completely.
    ///
    /// If an earlier write was incomplete, a line feed is written first, so that the incomplete line does not corrupt
    /// the next.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        match &mut self.out {
            Out::StandardError => append_to(&mut io::stderr().lock(), &mut self.torn, lines),
            Out::Other(out) => append_to(out, &mut self.torn, lines),
        }
    }
}

fn append_to(out: &mut dyn Write, torn: &mut bool, lines: &[u8]) -> io::Result<()> {
    if *torn {
        write_whole(out, torn, b"\n")?;
    }
    write_whole(out, torn, lines)?;
    out.flush()
}

fn write_whole(out: &mut dyn Write, torn: &mut bool, mut rest: &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        match out.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => {
                rest = rest.get(written..).unwrap_or_default();
                *torn = !rest.is_empty();
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Returns `None` if no files may be created and the file does not exist. It would be created at start.
fn open_for_append(path: &Path, effects: Effects) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    // One write to a file in append mode is appended as a whole, even if other processes write to it.
    options.append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    match effects {
        Effects::Allowed => options.create(true).open(path).map(Some),
        Effects::Imagined => Ok(None),
        Effects::None => match options.open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => in_a_folder(path).map(|()| None),
            other => other.map(|_| None),
        },
    }
}

fn in_a_folder(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if folder.metadata()?.is_dir() {
        Ok(())
    } else {
        Err(ErrorKind::NotADirectory.into())
    }
}

#[cfg(test)]
pub(super) mod testing {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    /// Records what was written, and controls how the next writes behave.
    #[derive(Clone, Default)]
    pub(crate) struct Recorder(Arc<Mutex<State>>);

    #[derive(Default)]
    struct State {
        written: Vec<u8>,
        room: Option<usize>,
    }

    impl Recorder {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().written.clone()).unwrap()
        }

        /// Accepts this many more bytes and then fails. `None` never fails.
        pub(crate) fn room(&self, room: Option<usize>) {
            self.0.lock().unwrap().room = room;
        }

        /// Blocks writes until the result is dropped.
        pub(crate) fn block(&self) -> impl Drop + '_ {
            struct Blocked<'a>(#[allow(dead_code)] std::sync::MutexGuard<'a, State>);
            impl Drop for Blocked<'_> {
                fn drop(&mut self) {}
            }
            Blocked(self.0.lock().unwrap())
        }
    }

    impl io::Write for Recorder {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut state = self.0.lock().unwrap();
            let count = match state.room {
                Some(0) => return Err(io::ErrorKind::StorageFull.into()),
                Some(room) => room.min(bytes.len()),
                None => bytes.len(),
            };
            state.room = state.room.map(|room| room - count);
            state.written.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::Recorder, *};
    use crate::settings::{BaseDir, Findings};

    fn open(file: &Path, effects: Effects) -> (bool, Vec<crate::settings::Finding>) {
        let (base, mut findings) = (BaseDir::of_file(Path::new("x.yaml")), Findings::default());
        let mut building = Building {
            base: &base,
            effects,
            findings: &mut findings,
        };
        let opened = LineSink::open(Some(file), &mut building).is_some();
        (opened, findings.into_vec())
    }

    #[test]
    fn a_line_after_a_torn_one_starts_on_a_line_of_its_own() {
        let recorder = Recorder::default();
        let mut sink = LineSink::new(Box::new(recorder.clone()));
        recorder.room(Some(3));
        assert!(sink.append(b"first\n").is_err());
        recorder.room(None);
        sink.append(b"second\n").unwrap();
        assert_eq!(recorder.text(), "fir\nsecond\n");
    }

    #[test]
    fn checking_creates_no_file_and_finds_what_would_fail() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("access.jsonl");
        assert!(open(&file, Effects::None).0);
        assert!(!file.exists());
        assert!(open(&file, Effects::Allowed).0);
        assert!(file.exists());
        let (opened, findings) = open(&folder.path().join("no/such.jsonl"), Effects::None);
        assert!(!opened);
        assert_eq!(findings[0].path.to_string(), "file");
        assert!(!open(folder.path(), Effects::None).0);
    }

    #[test]
    fn an_existing_file_is_continued() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("access.jsonl");
        std::fs::write(&file, "before\n").unwrap();
        let mut sink = LineSink::new(Box::new(
            open_for_append(&file, Effects::Allowed).unwrap().unwrap(),
        ));
        sink.append(b"after\n").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "before\nafter\n");
    }
}
