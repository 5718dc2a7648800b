use super::Kind;

/// Kind and permission bits as `ls -l` writes them: `-rwxr-xr-x`, a hard link as the file that it is.
#[must_use]
pub fn display_mode(kind: Kind, mode: u16) -> String {
    let kind = match kind {
        Kind::File | Kind::HardLink => '-',
        Kind::Directory | Kind::OpaqueMark => 'd',
        Kind::Symlink => 'l',
        Kind::CharacterDevice => 'c',
        Kind::BlockDevice => 'b',
        Kind::Fifo => 'p',
        Kind::Whiteout => 'x',
    };
    let mut text = String::with_capacity(10);
    text.push(kind);
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (mode & special != 0, bits & 1 != 0) {
            (true, true) => letter,
            (true, false) => letter.to_ascii_uppercase(),
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_read_as_in_a_listing() {
        let table = [
            (Kind::File, 0o755, "-rwxr-xr-x"),
            (Kind::File, 0o4755, "-rwsr-xr-x"),
            (Kind::File, 0o2644, "-rw-r-Sr--"),
            (Kind::Directory, 0o1777, "drwxrwxrwt"),
            (Kind::Symlink, 0o777, "lrwxrwxrwx"),
        ];
        for (kind, mode, text) in table {
            assert_eq!(super::display_mode(kind, mode), text);
        }
    }
}
