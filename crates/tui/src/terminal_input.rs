//! Bytes that a terminal sends, as keys, mouse events and pastes: ECMA-48 control sequences, xterm's SGR mouse reports and
//! bracketed paste, and the kitty keyboard protocol as far as it tells keys apart that share a byte.
//!
//! A sequence that is cut short never swallows what comes behind it: a byte that cannot be part of it ends it, and so does
//! silence.

use std::time::Duration;

use super::input::{Key, KeyCode, Mouse, MouseAction};
use super::message::Message;

/// Maximum number of bytes kept of a paste.
const MOST_PASTED: usize = 1 << 20;
/// Bytes of the longest sequence that means anything.
const MOST_SEQUENCE: usize = 64;
/// Maximum time for the rest of a sequence to arrive, also over a slow line.
const SEQUENCE_PATIENCE: Duration = Duration::from_millis(40);
/// Maximum time that a paste may stall.
const PASTE_PATIENCE: Duration = Duration::from_secs(2);

const ESCAPE: u8 = 0x1b;
const CONTROL_C: u8 = 0x03;
const PASTE_BEGIN: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";
/// Control and C where the terminal tells keys apart; other modifiers left out.
const KITTY_CONTROL_C: &[u8] = b"\x1b[99;5u";

/// Bytes received that are not yet a complete event.
#[derive(Debug, Default)]
pub(super) struct InputDecoder {
    bytes: Vec<u8>,
    /// The text so far, within a paste.
    paste: Option<Vec<u8>>,
}

/// Content at the beginning of the bytes.
enum Begun {
    /// The first bytes, in this number, are one event, or one to ignore.
    Whole(usize, Option<Message>),
    /// The rest has not come yet.
    Part,
}

impl InputDecoder {
    /// Takes bytes; gives the events that are whole now.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Message> {
        self.bytes.extend_from_slice(bytes);
        let mut events = Vec::new();
        while !self.bytes.is_empty() {
            let done = if self.paste.is_some() { self.pasted(&mut events) } else { self.event(&mut events) };
            if !done {
                break;
            }
        }
        events
    }

    /// Time to wait for the rest before [`Self::give_up`]; `None` if nothing is pending.
    pub fn patience(&self) -> Option<Duration> {
        match (&self.paste, self.bytes.is_empty()) {
            (Some(_), _) => Some(PASTE_PATIENCE),
            (None, false) => Some(SEQUENCE_PATIENCE),
            (None, true) => None,
        }
    }

    /// Ends what is begun: an escape that nothing followed is the key, a paste is what came of it, and any other sequence
    /// is dropped.
    pub fn give_up(&mut self) -> Vec<Message> {
        if let Some(mut text) = self.paste.take() {
            text.append(&mut self.bytes);
            return vec![paste(text)];
        }
        let bytes = std::mem::take(&mut self.bytes);
        let only_escapes = !bytes.is_empty() && bytes.iter().all(|&byte| byte == ESCAPE);
        if only_escapes { vec![Message::Key(Key::plain(KeyCode::Escape))] } else { Vec::new() }
    }

    /// Takes one event off the bytes; `false` where more have to come.
    fn event(&mut self, events: &mut Vec<Message>) -> bool {
        if self.bytes.starts_with(PASTE_BEGIN) {
            self.bytes.drain(..PASTE_BEGIN.len());
            self.paste = Some(Vec::new());
            return true;
        }
        match begun(&self.bytes) {
            Begun::Whole(length, event) => {
                self.bytes.drain(..length.clamp(1, self.bytes.len()));
                events.extend(event);
                true
            }
            Begun::Part if self.bytes.len() > MOST_SEQUENCE => {
                self.bytes.clear();
                false
            }
            Begun::Part => false,
        }
    }

    /// Takes what belongs to a paste off the bytes; `false` where more have to come. A terminal sends no control
    /// characters of a text that is pasted, so that Control-C is the key.
    fn pasted(&mut self, events: &mut Vec<Message>) -> bool {
        let find = |wanted: &[u8]| memchr::memmem::find(&self.bytes, wanted);
        let interrupted = match (memchr::memchr(CONTROL_C, &self.bytes), find(KITTY_CONTROL_C)) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let (text, after) = match (find(PASTE_END), interrupted) {
            (Some(end), None) => (end, end + PASTE_END.len()),
            (Some(end), Some(key)) if end < key => (end, end + PASTE_END.len()),
            (_, Some(key)) => (key, key),
            (None, None) => {
                // The beginning of what ends it may be the last that came.
                let begins = |whole: &[u8], length: usize| {
                    length < whole.len() && whole.get(..length).is_some_and(|part| self.bytes.ends_with(part))
                };
                let longest = PASTE_END.len().max(KITTY_CONTROL_C.len());
                let kept =
                    (1..longest).rev().find(|&length| begins(PASTE_END, length) || begins(KITTY_CONTROL_C, length));
                let kept = kept.unwrap_or(0);
                let come = self.bytes.len() - kept;
                self.keep_pasted(come);
                self.bytes.drain(..come);
                return false;
            }
        };
        self.keep_pasted(text);
        self.bytes.drain(..after);
        events.extend(self.paste.take().map(paste));
        true
    }

    fn keep_pasted(&mut self, count: usize) {
        if let Some(paste) = &mut self.paste {
            let room = MOST_PASTED.saturating_sub(paste.len());
            paste.extend_from_slice(self.bytes.get(..count.min(room)).unwrap_or_default());
        }
    }
}

fn paste(text: Vec<u8>) -> Message {
    Message::Paste(String::from_utf8_lossy(&text).into_owned())
}

fn begun(bytes: &[u8]) -> Begun {
    match bytes {
        [] | [ESCAPE] => Begun::Part,
        [ESCAPE, b'[', rest @ ..] => control_sequence(rest),
        [ESCAPE, b'O', rest @ ..] => match rest.first() {
            None => Begun::Part,
            Some(&letter) => {
                let code = letter_key(letter);
                // What is not a key of this kind was alt and a capital O.
                let length = if code.is_some() { 3 } else { 2 };
                let alt = Key { alt: true, ..Key::plain(KeyCode::Char('O')) };
                Begun::Whole(length, Some(Message::Key(code.map_or(alt, Key::plain))))
            }
        },
        [ESCAPE, ESCAPE, ..] => Begun::Whole(1, Some(Message::Key(Key::plain(KeyCode::Escape)))),
        [ESCAPE, rest @ ..] => match plain(rest) {
            Begun::Whole(length, Some(Message::Key(key))) => {
                Begun::Whole(length + 1, Some(Message::Key(Key { alt: true, ..key })))
            }
            Begun::Whole(length, event) => Begun::Whole(length + 1, event),
            Begun::Part => Begun::Part,
        },
        _ => plain(bytes),
    }
}

/// A key that is a control character or a character of UTF-8.
fn plain(bytes: &[u8]) -> Begun {
    let Some(&first) = bytes.first() else { return Begun::Part };
    let control = |character: char| Key { control: true, ..Key::plain(KeyCode::Char(character)) };
    let key = match first {
        b'\r' => Key::plain(KeyCode::Enter),
        b'\t' => Key::plain(KeyCode::Tab),
        0x7f => Key::plain(KeyCode::Backspace),
        0 => control(' '),
        1..=0x1a => control(char::from(first - 1 + b'a')),
        0x1c..=0x1f => control(char::from(first - 0x1c + b'4')),
        _ => return character(bytes),
    };
    Begun::Whole(1, Some(Message::Key(key)))
}

fn character(bytes: &[u8]) -> Begun {
    let start = bytes.get(..bytes.len().min(4)).unwrap_or_default();
    let valid = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.valid_up_to() == 0 => {
            return match error.error_len() {
                None => Begun::Part,
                Some(length) => Begun::Whole(length, None),
            };
        }
        Err(error) => std::str::from_utf8(start.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default(),
    };
    match valid.chars().next() {
        Some(character) => Begun::Whole(character.len_utf8(), Some(Message::Key(Key::plain(KeyCode::Char(character))))),
        None => Begun::Part,
    }
}

/// A sequence behind `ESC [`: parameters and intermediates, then a final byte (ECMA-48, 5.4).
fn control_sequence(rest: &[u8]) -> Begun {
    const INTRODUCER: usize = 2;
    // The console of Linux has function keys of a form of its own.
    if let [b'[', rest @ ..] = rest {
        return match rest.first() {
            None => Begun::Part,
            Some(&letter @ b'A'..=b'E') => {
                let key = Key::plain(KeyCode::Function(letter - b'A' + 1));
                Begun::Whole(INTRODUCER + 2, Some(Message::Key(key)))
            }
            Some(_) => Begun::Whole(INTRODUCER + 1, None),
        };
    }
    let Some(end) = rest.iter().position(|byte| !(0x20..=0x3f).contains(byte)) else { return Begun::Part };
    let (parameters, last) = (rest.get(..end).unwrap_or_default(), rest.get(end).copied().unwrap_or_default());
    if !(0x40..=0x7e).contains(&last) {
        // It was cut short: this byte begins something else.
        return Begun::Whole(INTRODUCER + end, None);
    }
    let event = match (parameters.first(), last) {
        (Some(b'<'), b'M' | b'm') => mouse(parameters.get(1..).unwrap_or_default(), last).map(Message::Mouse),
        (Some(b'<' | b'?' | b'>' | b'='), _) => None,
        _ => key_of(parameters, last).map(Message::Key),
    };
    Begun::Whole(INTRODUCER + end + 1, event)
}

/// Numbers between semicolons; of `1:2` the first, and 0 for none.
fn numbers(parameters: &[u8]) -> Vec<u32> {
    let number = |field: &[u8]| std::str::from_utf8(field).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let first = |field: &[u8]| number(field.split(|&byte| byte == b':').next().unwrap_or_default());
    parameters.split(|&byte| byte == b';').map(first).collect()
}

fn key_of(parameters: &[u8], last: u8) -> Option<Key> {
    let numbers = numbers(parameters);
    let (first, modifiers) = (numbers.first().copied().unwrap_or(0), numbers.get(1).copied().unwrap_or(1));
    // `modifiers:event`, where event 3 is a key that came up.
    let event =
        parameters.split(|&byte| byte == b';').nth(1).and_then(|field| field.split(|&byte| byte == b':').nth(1));
    if event == Some(b"3") {
        return None;
    }
    let held = modifiers.saturating_sub(1);
    let (shift, alt, control) = (held & 1 != 0, held & 2 != 0, held & 4 != 0);
    let code = match last {
        b'u' => unicode_key(first, shift)?,
        b'Z' => KeyCode::BackTab,
        b'~' => match first {
            1 | 7 => KeyCode::Home,
            3 => KeyCode::Delete,
            4 | 8 => KeyCode::End,
            5 => KeyCode::PageUp,
            6 => KeyCode::PageDown,
            11..=15 => KeyCode::Function((first - 10) as u8),
            17..=21 => KeyCode::Function((first - 11) as u8),
            23..=26 => KeyCode::Function((first - 12) as u8),
            28 | 29 => KeyCode::Function((first - 13) as u8),
            31..=34 => KeyCode::Function((first - 14) as u8),
            _ => return None,
        },
        // The place of the cursor, which is never asked for, and not the third function key.
        b'R' if first > 1 => return None,
        letter => letter_key(letter)?,
    };
    Some(Key { code, control, alt })
}

/// Keys that a letter names, behind `ESC O` or as the end of a sequence.
fn letter_key(letter: u8) -> Option<KeyCode> {
    Some(match letter {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'P'..=b'S' => KeyCode::Function(letter - b'P' + 1),
        _ => return None,
    })
}

/// A key by its Unicode code point, or by the private ones that kitty has for the keypad.
fn unicode_key(number: u32, shift: bool) -> Option<KeyCode> {
    Some(match number {
        9 if shift => KeyCode::BackTab,
        9 => KeyCode::Tab,
        13 | 57_414 => KeyCode::Enter,
        27 => KeyCode::Escape,
        127 => KeyCode::Backspace,
        57_399..=57_408 => KeyCode::Char(char::from(b'0' + (number - 57_399) as u8)),
        57_409 => KeyCode::Char('.'),
        57_410 => KeyCode::Char('/'),
        57_411 => KeyCode::Char('*'),
        57_412 => KeyCode::Char('-'),
        57_413 => KeyCode::Char('+'),
        57_417 => KeyCode::Left,
        57_418 => KeyCode::Right,
        57_419 => KeyCode::Up,
        57_420 => KeyCode::Down,
        57_421 => KeyCode::PageUp,
        57_422 => KeyCode::PageDown,
        57_423 => KeyCode::Home,
        57_424 => KeyCode::End,
        57_426 => KeyCode::Delete,
        0xe000..=0xf8ff => return None,
        number => {
            let character = char::from_u32(number).filter(|character| !character.is_control())?;
            let mut upper = character.to_uppercase();
            match (shift, upper.next(), upper.next()) {
                (true, Some(upper), None) => KeyCode::Char(upper),
                _ => KeyCode::Char(character),
            }
        }
    })
}

/// A report of the mouse: button and modifiers, column, row, counted from 1.
fn mouse(parameters: &[u8], last: u8) -> Option<Mouse> {
    let numbers = numbers(parameters);
    let &[button, column, row] = numbers.as_slice() else { return None };
    const MODIFIERS: u32 = 4 | 8 | 16;
    const MOTION: u32 = 32;
    let action = match (button & !MODIFIERS, last) {
        (0, b'M') => MouseAction::Press,
        (0, _) => MouseAction::Release,
        (button, b'M') if button == MOTION => MouseAction::Drag,
        (button, _) if button == MOTION => MouseAction::Release,
        (64, _) => MouseAction::WheelUp,
        (65, _) => MouseAction::WheelDown,
        _ => return None,
    };
    let cell = |number: u32| u16::try_from(number.saturating_sub(1)).ok();
    Some(Mouse { action, column: cell(column)?, row: cell(row)? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(name: &str) -> Message {
        Message::Key(Key::parse(name).unwrap_or_else(|| panic!("{name}")))
    }

    /// Returns the events that the bytes decode to, and the pending rest.
    fn decoded(bytes: &[u8]) -> String {
        let mut decoder = InputDecoder::default();
        let mut events = decoder.feed(bytes);
        events.extend(decoder.give_up());
        format!("{events:?}")
    }

    #[test]
    fn keys_are_those_that_terminals_send() {
        let cases: [(&[u8], &[&str]); 26] = [
            (b"aG/", &["a", "G", "/"]),
            ("ä日".as_bytes(), &["ä", "日"]),
            (b"\r\t\x7f", &["enter", "tab", "backspace"]),
            (b"\x01\n\0\x03", &["ctrl-a", "ctrl-j", "ctrl-space", "ctrl-c"]),
            (b"\x1b", &["esc"]),
            (b"\x1b\x1b[A", &["esc", "up"]),
            (b"\x1bx", &["alt-x"]),
            (b"\x1b[A\x1b[B\x1b[C\x1b[D", &["up", "down", "right", "left"]),
            (b"\x1bOA\x1bOH\x1bOP\x1bOS", &["up", "home", "f1", "f4"]),
            (b"\x1b[H\x1b[F\x1b[1~\x1b[4~\x1b[7~\x1b[8~", &["home", "end", "home", "end", "home", "end"]),
            (b"\x1b[3~\x1b[5~\x1b[6~", &["delete", "pgup", "pgdn"]),
            (b"\x1b[15~\x1b[17~\x1b[21~\x1b[23~\x1b[24~", &["f5", "f6", "f10", "f11", "f12"]),
            (b"\x1b[[A\x1b[[E", &["f1", "f5"]),
            (b"\x1b[Z", &["shift-tab"]),
            (b"\x1b[1;5A\x1b[1;3D\x1b[5;5~", &["ctrl-up", "alt-left", "ctrl-pgup"]),
            (b"\x1b[109;5u", &["ctrl-m"]),
            (b"\x1b[99;5u", &["ctrl-c"]),
            (b"\x1b[27u", &["esc"]),
            (b"\x1b[97;4u", &["alt-A"]),
            (b"\x1b[9;2u", &["shift-tab"]),
            (b"\x1b[32;5u", &["ctrl-space"]),
            (b"\x1b[57414u\x1b[57400u", &["enter", "1"]),
            (b"\x1b[97;1:3u", &[]),
            (b"\x1b[I\x1b[O\x1b[?1u\x1b[12;40R", &[]),
            (b"\xff\xc3(", &["("]),
            (b"\x1b[1P\x1b[13;2~", &["f1", "f3"]),
        ];
        for (bytes, expected) in cases {
            let expected: Vec<Message> = expected.iter().map(|name| key(name)).collect();
            assert_eq!(decoded(bytes), format!("{expected:?}"), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn the_mouse_and_pastes_are_read() {
        let at = |action, column, row| Message::Mouse(Mouse { action, column, row });
        let expected = [at(MouseAction::Press, 9, 4), at(MouseAction::Drag, 10, 4), at(MouseAction::Release, 10, 4)];
        assert_eq!(decoded(b"\x1b[<0;10;5M\x1b[<32;11;5M\x1b[<0;11;5m"), format!("{expected:?}"));
        let expected = [at(MouseAction::WheelUp, 0, 0), at(MouseAction::WheelDown, 299, 0)];
        assert_eq!(decoded(b"\x1b[<64;1;1M\x1b[<65;300;1M"), format!("{expected:?}"));
        let expected = [Message::Paste("a\nb".into()), key("x")];
        assert_eq!(decoded(b"\x1b[200~a\nb\x1b[201~x"), format!("{expected:?}"));
    }

    #[test]
    fn a_sequence_that_is_cut_short_swallows_no_interruption() {
        for cut in [&b"\x1b[<0;10"[..], b"\x1b[", b"\x1b[1;", b"\x1b[99", b"\x1b[200", b"\xe6\x97"] {
            for interruption in [&b"\x03"[..], KITTY_CONTROL_C] {
                let bytes = [cut, interruption].concat();
                assert_eq!(decoded(&bytes), format!("{:?}", [key("ctrl-c")]), "{}", bytes.escape_ascii());
            }
        }
        let expected = [Message::Paste("half".into()), key("ctrl-c")];
        for interruption in [&b"\x03"[..], KITTY_CONTROL_C] {
            assert_eq!(decoded(&[b"\x1b[200~half", interruption].concat()), format!("{expected:?}"));
        }
    }

    #[test]
    fn silence_ends_what_is_begun() {
        let mut decoder = InputDecoder::default();
        assert_eq!(decoder.patience(), None);
        assert!(decoder.feed(b"\x1b[<0;1").is_empty());
        assert_eq!(decoder.patience(), Some(SEQUENCE_PATIENCE));
        assert!(decoder.give_up().is_empty());
        assert_eq!(format!("{:?}", decoder.feed(b"q")), format!("{:?}", [key("q")]));
        assert!(decoder.feed(b"\x1b[200~abc\x1b[20").is_empty());
        assert_eq!(decoder.patience(), Some(PASTE_PATIENCE));
        assert_eq!(format!("{:?}", decoder.give_up()), format!("{:?}", [Message::Paste("abc\x1b[20".into())]));
        assert_eq!(decoder.patience(), None);
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_give_the_same_events(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"\x1b[<;0159~uMmAO200~201~".to_vec())], 0..200),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut decoder = InputDecoder::default();
            let cut = cut.index(bytes.len() + 1);
            let mut events = decoder.feed(&bytes[..cut]);
            events.extend(decoder.feed(&bytes[cut..]));
            events.extend(decoder.give_up());
            prop_assert_eq!(format!("{events:?}"), decoded(&bytes));
        }
    }
}
