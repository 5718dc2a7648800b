use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

use super::suggestion;
use nixdive_base::beneath::{Directory, Temporary, remove_abandoned};
use nixdive_base::text::TextEscaper;
use nixdive_base::text::display_name;

/// Prints on standard error why something failed, and a hint where one helps; without control characters.
pub fn complain(error: &anyhow::Error) {
    match suggestion::hint(error) {
        Some(hint) => note(&format!("{error}\n{hint}")),
        None => note(&error.to_string()),
    }
}

/// Says something on standard error, without control characters.
pub fn note(message: &str) {
    let shown: Vec<String> = message.lines().map(|line| display_name(line.as_bytes()).into_owned()).collect();
    // A closed standard error cannot be reported anywhere.
    let _ = writeln!(io::stderr(), "nixdive: {}", shown.join("\n"));
}

/// Layers that Docker and overlayfs take; containerd and podman take a few more.
const MOST_LAYERS_OF_ENGINES: usize = 125;

/// Warns where `--max-layers` allows an image that engines refuse.
pub fn warn_of_max_layers(max_layers: usize) {
    if max_layers > MOST_LAYERS_OF_ENGINES {
        note(&format!("warning: --max-layers {max_layers}: engines take at most {MOST_LAYERS_OF_ENGINES} layers"));
    }
}

/// Returns `true` if the reader of standard output has closed it.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}

/// Prints on standard output through a large buffer.
///
/// # Errors
/// An error that names standard output; [`is_broken_pipe`] still recognizes a closed pipe.
pub fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    write(&mut out).and_then(|()| out.flush()).map_err(|error| {
        let message = format!("standard output: {error}");
        anyhow::Error::new(error).context(message)
    })
}

/// Prints content of an image on standard output: its bytes, or, on a terminal and without `raw_bytes`, text with
/// control characters, bytes that are not UTF-8 and invisible characters spelled out.
///
/// # Errors
/// If [`print`] fails.
pub fn print_content(raw_bytes: bool, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    if raw_bytes || !io::stdout().is_terminal() {
        return print(write);
    }
    print(|out| {
        let mut escaped = Escaped { out, escaper: TextEscaper::default(), text: String::new() };
        write(&mut escaped)?;
        escaped.finish()
    })
}

/// Spells out what a terminal would take for more than text.
struct Escaped<'a> {
    out: &'a mut dyn Write,
    escaper: TextEscaper,
    text: String,
}

impl Escaped<'_> {
    fn finish(mut self) -> io::Result<()> {
        self.text.clear();
        self.escaper.finish(&mut self.text);
        self.out.write_all(self.text.as_bytes())
    }
}

impl Write for Escaped<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.clear();
        self.escaper.push(bytes, &mut self.text);
        self.out.write_all(self.text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes a file completely or not at all: to a temporary file in the same directory, then renamed. Devices and pipes
/// are written to directly.
///
/// # Errors
/// If the file cannot be written; the error names it.
pub fn write_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    if is_special(path) {
        return write_special(path, write).map_err(|error| failed(path, &error));
    }
    let staged = Staged::new(path, write).map_err(|error| failed(path, &error))?;
    staged.publish().map_err(|error| failed(path, &error))
}

fn write_special(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(File::options().write(true).open(path)?);
    write(&mut out).and_then(|()| out.flush())
}

/// Writes several files, all of them completely or none: to temporary files in the same directories, then renamed.
/// Devices and pipes are written to directly, before any file is renamed.
///
/// # Errors
/// If a file cannot be written; the error names it, and the previous files are restored.
pub fn write_all(files: &[(&Path, Vec<u8>)]) -> anyhow::Result<()> {
    for (number, (path, _)) in files.iter().enumerate() {
        if files.iter().take(number).any(|(other, _)| other == path) {
            anyhow::bail!("{}: two outputs name this file", name_of(path));
        }
    }
    let mut staged = Vec::new();
    for (path, bytes) in files {
        if is_special(path) {
            write_special(path, |out| out.write_all(bytes)).map_err(|error| failed(path, &error))?;
        } else {
            staged.push(Staged::new(path, |out| out.write_all(bytes)).map_err(|error| failed(path, &error))?);
        }
    }
    let mut moved = Vec::new();
    for file in staged {
        let path = file.path;
        match file.replace() {
            Ok(replaced) => moved.push(replaced),
            Err(error) => {
                moved.into_iter().rev().for_each(Replaced::undo);
                return Err(failed(path, &error));
            }
        }
    }
    Ok(())
}

/// A temporary file next to its final path.
struct Staged<'a> {
    path: &'a Path,
    name: &'a OsStr,
    directory: Directory,
    beside: Temporary,
}

/// A published file, with the previous one.
struct Replaced<'a> {
    path: &'a Path,
    name: &'a OsStr,
    directory: Directory,
    before: Option<Temporary>,
}

impl<'a> Staged<'a> {
    fn new(path: &'a Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let directory = Directory::open(directory_of(path))?;
        remove_abandoned(&directory);
        let mut beside = Temporary::new(&directory, 0o600)?;
        let mut out = BufWriter::new(beside.file_mut());
        write(&mut out).and_then(|()| out.flush())?;
        drop(out);
        readable_as_usual(beside.file())?;
        Ok(Self { path, name, directory, beside })
    }

    fn publish(self) -> io::Result<()> {
        self.beside.publish(&self.directory, self.name)
    }

    fn replace(self) -> io::Result<Replaced<'a>> {
        let before = match self.path.symlink_metadata() {
            Ok(_) => {
                let link = Temporary::link(&self.directory, self.name);
                Some(link.or_else(|_| copy_of(self.path, &self.directory))?)
            }
            Err(_) => None,
        };
        self.beside.publish(&self.directory, self.name)?;
        Ok(Replaced { path: self.path, name: self.name, directory: self.directory, before })
    }
}

impl Replaced<'_> {
    fn undo(self) {
        // The failed write is already reported.
        let _ = match self.before {
            Some(before) => before.publish(&self.directory, self.name),
            None => std::fs::remove_file(self.path),
        };
    }
}

/// Copies a file within its directory, with its permissions, for file systems without hard links.
fn copy_of(path: &Path, directory: &Directory) -> io::Result<Temporary> {
    let mut copy = Temporary::new(directory, 0o600)?;
    let mut original = File::open(path)?;
    io::copy(&mut original, copy.file_mut())?;
    copy.file().set_permissions(original.metadata()?.permissions())?;
    Ok(copy)
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn is_special(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| !metadata.is_file())
}

fn name_of(path: &Path) -> String {
    display_name(path.as_os_str().as_encoded_bytes()).into_owned()
}

fn failed(path: &Path, error: &io::Error) -> anyhow::Error {
    anyhow::anyhow!("{}: {error}", name_of(path))
}

/// A temporary file is its owner's alone; a report is for others too.
fn readable_as_usual(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(path: &Path) -> Option<String> {
        std::fs::read_to_string(path).ok()
    }

    #[test]
    fn of_several_files_all_are_written_or_none() {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().join(name);
        let (old, new, absent) = (place("old"), place("new"), place("absent/x"));
        std::fs::write(&old, "before").unwrap();
        let error = write_all(&[(&old, b"1".to_vec()), (&new, b"2".to_vec()), (&absent, b"3".to_vec())]).unwrap_err();
        assert!(error.to_string().contains("absent/x: "), "{error}");
        assert_eq!((content(&old).as_deref(), content(&new)), (Some("before"), None));
        let error = write_all(&[(&new, b"1".to_vec()), (&new, b"2".to_vec())]).unwrap_err();
        assert!(error.to_string().contains("two outputs name this file"), "{error}");
        write_all(&[(&old, b"1".to_vec()), (&new, b"2".to_vec())]).unwrap();
        assert_eq!((content(&old).as_deref(), content(&new).as_deref()), (Some("1"), Some("2")));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "nothing is left beside them");
    }

    #[test]
    fn what_was_there_before_is_there_again_when_a_later_file_cannot_take_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().join(name);
        let (old, new, blocked) = (place("old"), place("new"), place("blocked"));
        std::fs::write(&old, "before").unwrap();
        let files = [(&old, "1"), (&new, "2"), (&blocked, "3")];
        let mut staged: Vec<Staged<'_>> =
            files.iter().map(|(path, text)| Staged::new(path, |out| out.write_all(text.as_bytes())).unwrap()).collect();
        // A directory takes the place of the last one while the others are written.
        std::fs::create_dir(&blocked).unwrap();
        let last = staged.pop().unwrap();
        let moved: Vec<Replaced<'_>> = staged.into_iter().map(|file| file.replace().unwrap()).collect();
        assert!(last.replace().is_err());
        moved.into_iter().rev().for_each(Replaced::undo);
        assert_eq!((content(&old).as_deref(), content(&new)), (Some("before"), None));
    }
}
