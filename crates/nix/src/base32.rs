//! Nix's base 32: its own alphabet, least significant digit last (Nix manual, "Nix32 encoding").

/// The 32 digits. `e`, `o`, `t` and `u` are left out.
pub const ALPHABET: &[u8; 32] = b"0123456789abcdfghijklmnpqrsvwxyz";

const NO_DIGIT: u8 = 0xff;

const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < ALPHABET.len() {
        values[ALPHABET[digit] as usize] = digit as u8;
        digit += 1;
    }
    values
};

/// Returns `true` if a byte is one of the 32 digits.
#[must_use]
#[inline]
pub fn is_digit(byte: u8) -> bool {
    VALUES[usize::from(byte)] != NO_DIGIT
}

/// Number of digits that `bytes` bytes take.
#[must_use]
pub fn encoded_length(bytes: usize) -> usize {
    bytes.saturating_mul(8).div_ceil(5)
}

/// The digits of `bytes`.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let digit = |position: usize| {
        let bit = position * 5;
        let (index, shift) = (bit / 8, bit % 8);
        let low = bytes.get(index).copied().unwrap_or_default();
        let high = bytes.get(index + 1).copied().unwrap_or_default();
        let pair = u16::from_le_bytes([low, high]) >> shift;
        char::from(ALPHABET[usize::from(pair & 31)])
    };
    (0..encoded_length(bytes.len())).rev().map(digit).collect()
}

/// Decodes `text` to `N` bytes; `None` for a wrong length, a byte that is not a digit, or bits
/// beyond `N` bytes.
#[must_use]
pub fn decode<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != encoded_length(N) {
        return None;
    }
    let mut bytes = [0; N];
    for (position, &character) in text.iter().rev().enumerate() {
        let value = VALUES[usize::from(character)];
        if value == NO_DIGIT {
            return None;
        }
        let bit = position * 5;
        let (index, shift) = (bit / 8, bit % 8);
        let [low, high] = (u16::from(value) << shift).to_le_bytes();
        *bytes.get_mut(index)? |= low;
        match bytes.get_mut(index + 1) {
            Some(byte) => *byte |= high,
            None if high != 0 => return None,
            None => {}
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn agrees_with_nix_hash_to_base32() {
        // printf abc | sha1sum, and `nix-hash --type sha1 --to-base32` of it.
        let sha1 = [
            0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a, 0xba, 0x3e, 0x25, 0x71, 0x78, 0x50, 0xc2, 0x6c, 0x9c, 0xd0,
            0xd8, 0x9d,
        ];
        assert_eq!(encode(&sha1), "kpcd173cq987hw957sx6m0868wv3x6d9");
        assert_eq!(encode(&[]), "");
    }

    #[test]
    fn what_is_no_number_of_that_many_bytes_is_refused() {
        assert_eq!(decode::<20>(b"kpcd173cq987hw957sx6m0868wv3x6d"), None, "short");
        assert_eq!(decode::<20>(b"kpcd173cq987hw957sx6m0868wv3x6de"), None, "e is not a digit");
        assert_eq!(decode::<32>(&[b'z'; 52]), None, "52 digits hold 260 bits");
    }

    proptest! {
        #[test]
        fn reads_back_as_written(short in any::<[u8; 20]>(), long in any::<[u8; 32]>()) {
            prop_assert_eq!(decode(encode(&short).as_bytes()), Some(short));
            prop_assert_eq!(decode(encode(&long).as_bytes()), Some(long));
        }
    }
}
