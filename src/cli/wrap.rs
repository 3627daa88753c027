//! Wraps text for the output of commands.

/// Splits `text` into lines of at most `width` characters, except for longer words.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Splits `text` into lines of at most `width` characters; longer words are cut.
pub(super) fn cut_to(text: &str, width: usize) -> Vec<String> {
    let cut = |word: &str| -> Vec<String> {
        let characters: Vec<char> = word.chars().collect();
        let pieces = characters.chunks(width);
        pieces.map(|piece| piece.iter().collect()).collect()
    };
    let pieces: Vec<String> = text.split_whitespace().flat_map(cut).collect();
    wrapped(&pieces.join(" "), width)
}
