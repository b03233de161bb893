//! JSON as Python's `json.dumps` prints it: ASCII only, floats as `repr` writes them, and either
//! a blank after each comma and colon (the default) or none.
//!
//! A float that is not a number prints as `null`, where Python would print `NaN`; no value of the
//! pipeline is one.

use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};

/// As `json.dumps(value)`: rows, events and files of Reflector.
pub fn to_string_spaced<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<String> {
    print(value, Blanks::After)
}

/// As `json.dumps(value, separators=(",", ":"))`: the customer's webhook.
pub fn to_string_compact<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<String> {
    print(value, Blanks::None)
}

/// Whether a blank follows a separator.
#[derive(Clone, Copy)]
enum Blanks {
    After,
    None,
}

fn print<T: Serialize + ?Sized>(value: &T, blanks: Blanks) -> serde_json::Result<String> {
    let mut bytes = Vec::with_capacity(256);
    value.serialize(&mut Serializer::with_formatter(
        &mut bytes,
        Python { blanks },
    ))?;
    Ok(String::from_utf8(bytes).expect("the formatter writes ASCII only"))
}

struct Python {
    blanks: Blanks,
}

impl Python {
    fn separate<W: io::Write + ?Sized>(&self, writer: &mut W, separator: u8) -> io::Result<()> {
        match self.blanks {
            Blanks::After => writer.write_all(&[separator, b' ']),
            Blanks::None => writer.write_all(&[separator]),
        }
    }

    fn item<W: io::Write + ?Sized>(&self, writer: &mut W, first: bool) -> io::Result<()> {
        if first {
            Ok(())
        } else {
            self.separate(writer, b',')
        }
    }
}

impl Formatter for Python {
    fn begin_array_value<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.item(writer, first)
    }

    fn begin_object_key<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.item(writer, first)
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.separate(writer, b':')
    }

    fn write_f32<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        self.write_f64(writer, f64::from(value))
    }

    fn write_f64<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(float(value).as_bytes())
    }

    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut plain_from = 0;
        for (at, character) in fragment.char_indices() {
            if matches!(character, ' '..='~') {
                continue;
            }
            writer.write_all(&fragment.as_bytes()[plain_from..at])?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain_from = at + character.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[plain_from..])
    }

    fn write_char_escape<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        let short = match escape {
            CharEscape::Quote => b'"',
            CharEscape::ReverseSolidus => b'\\',
            CharEscape::Solidus => b'/',
            CharEscape::Backspace => b'b',
            CharEscape::FormFeed => b'f',
            CharEscape::LineFeed => b'n',
            CharEscape::CarriageReturn => b'r',
            CharEscape::Tab => b't',
            CharEscape::AsciiControl(byte) => return write!(writer, "\\u{byte:04x}"),
        };
        writer.write_all(&[b'\\', short])
    }
}

/// `repr(value)`. Rust's `{:?}` takes as few digits and turns to exponents at the same sizes
/// (below 1e-4, from 1e16 on). The exponent's sign and width differ, and the last digit where two
/// are equally near.
fn float(value: f64) -> String {
    let shortest = format!("{value:?}");
    let mantissa = shortest.split('e').next().unwrap_or_default();
    let decimals = mantissa.split_once('.').map_or(0, |(_, after)| after.len());
    let rounded = if shortest.contains('e') {
        format!("{value:.decimals$e}")
    } else {
        format!("{value:.decimals$}")
    };
    python_exponent(nearest_even(value, rounded).unwrap_or(shortest))
}

/// A value such as 646058905685108.25 may lie halfway between two equally short texts that both read
/// back as itself. Python takes the even last digit there, as Rust's printing with a given number
/// of digits does; Rust's shortest printing takes the upper. Where the rounded text is another
/// number, the shortest stands.
fn nearest_even(value: f64, rounded: String) -> Option<String> {
    (rounded.parse() == Ok(value)).then_some(rounded)
}

/// `1e-7` as `1e-07`, `1e16` as `1e+16`.
fn python_exponent(printed: String) -> String {
    let Some((digits, exponent)) = printed.split_once('e') else {
        return printed;
    };
    match exponent.strip_prefix('-') {
        Some(size) => format!("{digits}e-{size:0>2}"),
        None => format!("{digits}e+{exponent:0>2}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    proptest! {
        #[test]
        fn a_printed_float_reads_back_as_itself(value in any::<f64>()) {
            let printed = to_string_spaced(&value).unwrap();
            prop_assert_eq!(serde_json::from_str::<f64>(&printed).unwrap().to_bits(), value.to_bits());
        }

        #[test]
        fn a_printed_text_is_ascii_and_reads_back_as_itself(text in ".*") {
            for printed in [to_string_spaced(&text).unwrap(), to_string_compact(&text).unwrap()] {
                prop_assert!(printed.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
                prop_assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), Value::from(text.clone()));
            }
        }
    }

    #[test]
    fn floats_are_printed_as_python_prints_them() {
        for (value, python) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (282_605.52, "282605.52"),
            (0.0001, "0.0001"),
            (0.000_099_9, "9.99e-05"),
            (1e-7, "1e-07"),
            (1.5e-10, "1.5e-10"),
            (1_059_438_285_926_254.0 + 0.25, "1059438285926254.2"),
            (2_065_800_000_000_000.0 + 0.75, "2065800000000000.8"),
            (646_058_905_685_108.0 + 0.25, "646058905685108.2"),
            (-(2_065_800_000_000_000.0 + 0.25), "-2065800000000000.2"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (1e16, "1e+16"),
            (1.234_567_8e22, "1.2345678e+22"),
            (-1e100, "-1e+100"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
        ] {
            assert_eq!(to_string_spaced(&value).unwrap(), python);
        }
    }

    #[test]
    fn integers_stay_integers_and_floats_stay_floats() {
        let value = json!([0, 0.0, -3, 18_446_744_073_709_551_615_u64]);
        assert_eq!(
            to_string_spaced(&value).unwrap(),
            "[0, 0.0, -3, 18446744073709551615]"
        );
    }

    #[test]
    fn everything_beyond_printable_ascii_is_escaped() {
        let text = "é – \u{1f600} \u{7f} \u{0}\u{1f} \"\\/ \u{8}\u{c}\n\r\t";
        assert_eq!(
            to_string_spaced(text).unwrap(),
            r#""\u00e9 \u2013 \ud83d\ude00 \u007f \u0000\u001f \"\\/ \b\f\n\r\t""#
        );
    }

    #[test]
    fn the_two_styles_differ_in_blanks_only() {
        let value = json!({"a": [1, 2, {}], "b": [], "c": {"d": null, "e": true}});
        assert_eq!(
            to_string_spaced(&value).unwrap(),
            r#"{"a": [1, 2, {}], "b": [], "c": {"d": null, "e": true}}"#
        );
        assert_eq!(
            to_string_compact(&value).unwrap(),
            r#"{"a":[1,2,{}],"b":[],"c":{"d":null,"e":true}}"#
        );
    }
}
