use proptest::prelude::*;

use super::*;

fn names(text: &str) -> Vec<String> {
    Expression::compile(Field::Kind, text)
        .unwrap()
        .names()
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_names_of_an_expression_are_its_columns() {
    assert_eq!(names("int(b) > 1 ? a.c : string(1.5)"), ["a", "b"]);
    assert_eq!(
        names("[a].exists(x, x == b) && c.all(y, y > 0)"),
        ["a", "b", "c"]
    );
    assert_eq!(names("has(a.b) ? a.b : type"), ["a", "type"]);
    assert_eq!(
        names("type(a) == string ? {b: c}[d] : math.greatest(1, e)"),
        ["a", "b", "c", "d", "e"]
    );
    assert_eq!(names("x.map(x, x + y)"), ["x", "y"]);
    assert_eq!(names("'constant'"), Vec::<String>::new());
}

proptest! {
    #[test]
    fn no_text_makes_the_compiler_panic(text in "[a-c0-9 ()\\[\\]{}.,?:+*/<>=!&|%\"'\\\\-]{0,24}") {
        let _ = Expression::compile(Field::Kind, &text);
    }
}

struct OneText(String);

impl Row for OneText {
    fn cell(&self, _: usize) -> Result<Cell<'_>, NotUtf8> {
        Ok(Cell::Text(&self.0))
    }

    fn nested(&self, _: usize) -> cel::Value {
        cel::Value::Null
    }
}

#[test]
fn what_is_remembered_is_bounded_in_bytes() {
    let mut expression = Expression::compile(Field::Kind, "text + '!'").unwrap();
    let names = ["text".to_owned()];
    expression
        .bind(&Columns {
            path: "log.csv".as_ref(),
            names: &names,
        })
        .unwrap();
    let mut most = 0;
    for n in 0..60_000 {
        let row = OneText(format!("{n:0>width$}", width = [8, 400, 5_000][n % 3]));
        assert_eq!(
            expression.evaluate(&row).unwrap(),
            Cell::Text(&format!("{}!", row.0))
        );
        let remembered = |known: &Remembered| {
            let text = if let Ok(Owned::Text(text)) = &known.result {
                text.len()
            } else {
                0
            };
            assert!(known.key.len() < 1_100 && known.key.capacity() < 2_200 && text < 1_100);
            ENTRY_BYTES + known.key.len() + text
        };
        if n % 1_000 == 0 {
            let held: usize = expression.cache.values().map(remembered).sum();
            assert_eq!(held, expression.cached);
            most = most.max(held);
        }
    }
    assert!((1 << 20..=CACHE_BYTES).contains(&most), "{most}");
    assert!(expression.cache.capacity() * ENTRY_BYTES < 4 * CACHE_BYTES);
}

#[test]
fn expressions_that_are_bombs_are_rejected() {
    let ten = "[1,2,3,4,5,6,7,8,9,10]";
    for (text, expected) in [
        ("k".to_owned() + &" + k".repeat(2_000), "2000 operators"),
        ("k".to_owned() + &" + k".repeat(300), "lie up to 301 deep"),
        ("k".to_owned() + &".a".repeat(200_000), "more than 65536"),
        (
            "k".to_owned() + &".trim()".repeat(400),
            "deep inside of one another",
        ),
        (
            "k + '".to_owned() + &"x".repeat(1_000_000) + "'",
            "1000006 bytes, more than 65536",
        ),
        (
            "[k]".to_owned() + &".map(x, x + x)".repeat(30) + "[0]",
            "it has 30 loops",
        ),
        (
            format!("{ten}.all(a, {ten}.all(b, {ten}.all(c, {ten}.all(d, true)))) ? k : k"),
            "lie 4 deep",
        ),
    ] {
        let message = Expression::compile(Field::Kind, &text)
            .err()
            .map(|error| error.to_string())
            .unwrap();
        assert!(message.contains(expected), "{message}");
    }
    // As much as is allowed is also computed on a thread's stack.
    let most = [
        "k".to_owned() + &" + k".repeat(190),
        "k".to_owned() + &".trim()".repeat(190),
    ];
    for text in most {
        let mut expression = Expression::compile(Field::Kind, &text).unwrap();
        let names = ["k".to_owned()];
        expression
            .bind(&Columns {
                path: "log.csv".as_ref(),
                names: &names,
            })
            .unwrap();
        assert!(expression.evaluate(&OneText("a".to_owned())).is_ok());
    }
    let codes = (0..3_000)
        .map(|n| format!("'A-{n}.x'"))
        .collect::<Vec<_>>()
        .join(", ");
    assert!(Expression::compile(Field::Kind, &format!("k in [{codes}] ? 'a' : 'b'")).is_ok());
}

/// An expression of few loops and operators, and what it would take.
#[test]
fn expressions_that_take_long_or_make_long_texts_are_rejected_before_any_row() {
    let thousand = format!("[{}]", vec!["7"; 1_000].join(","));
    let hundred = format!("[{}]", vec!["7"; 100].join(","));
    let long = format!("'{}'", "x".repeat(10_000));
    for (text, expected) in [
        (
            format!("{thousand}.all(a, {thousand}.all(b, true)) ? k : k"),
            "steps for a row",
        ),
        (
            format!("{hundred}.all(a, {hundred}.all(b, {hundred}.exists(c, c > 7))) ? k : k"),
            "steps for a row",
        ),
        (
            format!("k.split('').map(x, x.split('')).map(y, {thousand}.all(z, true))[0] ? k : k"),
            "steps for a row",
        ),
        (
            "[k]".to_owned() + &".map(x, x + x + x + x + x + x + x + x)".repeat(5) + "[0]",
            "may make a text or list of",
        ),
        (
            "k".to_owned() + &".replace('', k)".repeat(3),
            "may make a text or list of",
        ),
        (
            format!("k.replace('a', {long})"),
            "may make a text or list of",
        ),
        (
            format!("{thousand}.map(x, {long}).join({long})"),
            "may make a text or list of",
        ),
        (
            "('%s'.replace('s', 's%s%s%s%s')).format([k, k, k, k, k]).replace('', k)".to_owned(),
            "may make a text or list of",
        ),
    ] {
        let message = Expression::compile(Field::Kind, &text)
            .err()
            .map(|error| error.to_string());
        let message = message.unwrap_or_else(|| panic!("{} is taken", &text[..80.min(text.len())]));
        assert!(
            message.contains(expected) && message.contains("`events.kind`"),
            "{message}"
        );
        // Thousands of codes are no message.
        assert!(message.len() < 1_400, "{message}");
    }
    // Loops over what columns hold, long lists of codes, and replacements are what expressions are for.
    let codes = format!("[{}]", vec!["'A-1.x'"; 3_000].join(","));
    for text in [
        format!("{codes}.exists(code, k.startsWith(code)) ? 'a' : 'b'"),
        "items.map(item, item.name).filter(name, name != '').map(name, name.trim()).join('|')"
            .to_owned(),
        "k.split(',').map(x, x.trim()).filter(x, x.matches('^[a-z]+$')).join(',')".to_owned(),
        "k.replace('-', '').replace(' ', '_').replace('/', ' / ')".to_owned(),
        "'%s-%d'.format([k, n])".to_owned(),
    ] {
        let compiled = Expression::compile(Field::Kind, &text).err();
        assert!(compiled.is_none(), "{}", compiled.unwrap());
    }
}

#[test]
fn a_pattern_that_cannot_be_read_is_told_before_any_row_is() {
    let message = |text: &str| {
        Expression::compile(Field::Kind, text)
            .err()
            .map(|error| error.to_string())
    };
    let wrong = message("k.matches('(a') ? 'x' : 'y'").unwrap();
    assert!(
        wrong.contains("`events.kind`") && wrong.contains("`(a` is not a valid pattern"),
        "{wrong}"
    );
    assert!(message("[k].exists(x, matches(x, '[')) ? 'x' : 'y'").is_some());
    assert_eq!(message("k.matches('^(a|b)$') ? 'x' : 'y'"), None);
    assert_eq!(message("k.matches(k) ? 'x' : 'y'"), None);
}
