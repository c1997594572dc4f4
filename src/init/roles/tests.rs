//! Which columns are taken of the exports of common systems and of well-known public logs.

use super::*;
use crate::events::config::Decimal;
use crate::init::columns::profile::profiles;
use crate::init::sample::{Sample, Value};

/// An export: its header, a line with placeholders, and the columns that are taken for user, time, kind and amount.
struct Export {
    header: &'static str,
    /// `{u}` is the user, `{n}` the number of the row, `{d}` its date, `{t}` its second, `{a}` an amount, `{k}` one of the
    /// `kinds`.
    line: &'static str,
    kinds: &'static [&'static str],
    taken: [&'static str; 4],
}

const NONE: &str = "";

/// 400 rows of 60 users.
fn sample(header: &str, line: &str, kinds: &[&str]) -> Sample {
    let names: Vec<String> = header.split(',').map(str::to_owned).collect();
    let mut sample = Sample::of_columns(&names);
    for n in 0..400_usize {
        let date = jiff::civil::date(2023, 1, 1) + jiff::Span::new().days((n / 2) as i64);
        let second = 1_672_567_200 + n * 43_211;
        let text = line
            .replace("{u}", &format!("{}", 1_000 + n * 37 % 60))
            .replace("{n}", &format!("{}", 700_000 + n))
            .replace("{d}", &date.to_string())
            .replace("{t}", &second.to_string())
            .replace("{a}", &format!("{}.{:02}", 3 + n % 50, n % 97))
            .replace("{q}", &format!("{}", 1 + n % 5))
            .replace("{k}", kinds.get(n % kinds.len().max(1)).unwrap_or(&""));
        sample.push(text.split(',').map(Value::text));
    }
    sample
}

fn roles(sample: Sample, format: Format, given: &Columns) -> Result<Roles, InitError> {
    let profiles = profiles(sample, Decimal::Point);
    let search = Search {
        profiles: &profiles,
        format,
        is_unnamed: false,
        given,
        ask: &mut |_| None,
    };
    search.roles()
}

/// The columns of user, time, kind and amount; empty where there is none.
fn taken(export: &Export) -> [String; 4] {
    let sample = sample(export.header, export.line, export.kinds);
    let found = roles(sample, Format::Csv, &Columns::default())
        .unwrap_or_else(|error| panic!("{}: {error}", export.header));
    let text =
        |finding: Option<&Finding>| finding.map_or_else(String::new, |f| f.mapping.to_string());
    [
        text(Some(&found.user)),
        text(Some(&found.time)),
        text(found.kind.as_ref()),
        text(found.amount.as_ref()),
    ]
}

const EXPORTS: &[Export] = &[
    Export {
        header: "Name,Email,Financial Status,Paid at,Fulfilled at,Currency,Subtotal,Shipping,Taxes,Total,Created at,Id",
        line: "#{n},u{u}@x.org,{k},{d} 08:00:00 +0100,{d} 18:00:00 +0100,EUR,{a},4.90,1.90,1{a},{d} 08:00:00 +0100,{n}",
        kinds: &["paid", "paid", "refunded"],
        taken: ["Email", "Paid at", "Financial Status", "Total"],
    },
    Export {
        header: "order_id,order_date,status,shipping_total,order_total,customer_id,billing_email",
        line: "{n},{d} 10:00:00,{k},4.90,{a},{u},u{u}@x.org",
        kinds: &["completed", "completed", "refunded"],
        taken: ["customer_id", "order_date", "status", "order_total"],
    },
    Export {
        header: "id,Created (UTC),Amount,Amount Refunded,Currency,Fee,Status,Customer ID,Customer Email,Card ID",
        line: "ch_{n},{d} 10:00,{a},0.00,usd,0.30,{k},cus_{u},u{u}@x.org,card_{u}",
        kinds: &["Paid", "Paid", "Failed"],
        taken: ["Customer ID", "Created (UTC)", "Status", "Amount"],
    },
    Export {
        header: "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,order_estimated_delivery_date,customer_unique_id,customer_zip_code_prefix,payment_type,payment_installments,payment_value",
        line: "{n}a,{n}b,{k},{d} 10:00:00,{d} 11:00:00,{d} 00:00:00,{u}c,01310,credit_card,1,{a}",
        kinds: &["delivered", "delivered", "canceled"],
        taken: [
            "customer_unique_id",
            "order_purchase_timestamp",
            "order_status",
            "payment_value",
        ],
    },
    Export {
        header: "timestamp,visitorid,event,itemid,transactionid",
        line: "{t}000,{u},{k},{n},",
        kinds: &["view", "view", "addtocart", "transaction"],
        taken: ["visitorid", "timestamp", "event", NONE],
    },
    Export {
        header: "t_dat,customer_id,article_id,price,sales_channel_id",
        line: "{d},{u}f,0663713001,0.0{u},2",
        kinds: &[],
        taken: ["customer_id", "t_dat", NONE, "price"],
    },
    Export {
        header: "event_time,event_type,product_id,category_code,brand,price,user_id,user_session",
        line: "{d} 10:00:00 UTC,{k},{n},,runail,{a},5{u},s{n}",
        kinds: &["view", "cart", "purchase"],
        taken: ["user_id", "event_time", "event_type", "price"],
    },
    Export {
        header: "Row ID,Order ID,Order Date,Ship Date,Customer ID,Customer Name,Segment,Country,Postal Code,Product ID,Sales,Quantity,Discount,Profit",
        line: "{n},CA-{n},{d},{d},CG-{u},Claire {u},Consumer,United States,42420,FUR-{n},{a},{q},0.2,1.5",
        kinds: &[],
        taken: ["Customer ID", "Order Date", NONE, "Sales"],
    },
    Export {
        header: "msno,payment_method_id,plan_list_price,actual_amount_paid,transaction_date,membership_expire_date,is_cancel",
        line: "{u}=,41,129,1{u},{d},{d},0",
        kinds: &[],
        taken: ["msno", "transaction_date", NONE, "actual_amount_paid"],
    },
    Export {
        header: "id,chain,dept,category,company,brand,date,productmeasure,purchasequantity,purchaseamount",
        line: "{u},205,7,706,107143070,{q}05,{d},OZ,{q},{a}",
        kinds: &[],
        taken: ["id", "date", NONE, "purchaseamount"],
    },
    Export {
        header: "ts,userId,sessionId,page,auth,level,registration,status",
        line: "{t}000,{u},{n},{k},Logged In,paid,1538173362000,200",
        kinds: &["NextSong", "NextSong", "Home", "Logout"],
        taken: ["userId", "ts", "page", NONE],
    },
    Export {
        header: "event_date,event_timestamp,event_name,user_id,user_pseudo_id,user_first_touch_timestamp,ecommerce_purchase_revenue",
        line: "{d},{t}000000,{k},,{u}.{u},1600000000000000,{a}",
        kinds: &["page_view", "session_start", "purchase"],
        taken: [
            "user_pseudo_id",
            "event_date",
            "event_name",
            "ecommerce_purchase_revenue",
        ],
    },
    Export {
        header: "Datum,Kundennummer,Artikel,Menge,Einzelpreis",
        line: "{d},K{u},Seife,{q},{a}",
        kinds: &[],
        taken: [
            "Kundennummer",
            "Datum",
            NONE,
            "double(Menge) * double(Einzelpreis)",
        ],
    },
];

#[test]
fn common_exports_have_their_columns() {
    for export in EXPORTS {
        assert_eq!(
            taken(export),
            export.taken.map(str::to_owned),
            "{}",
            export.header
        );
    }
}

#[test]
fn a_total_that_is_the_product_is_taken_and_its_reason_says_so() {
    let names = ["user", "date", "qty", "unit_price", "x"].map(str::to_owned);
    let mut sample = Sample::of_columns(&names);
    for n in 0..100 {
        let (pieces, price) = (1 + n % 4, 2.5 + f64::from(n));
        let texts = [
            format!("u{}", n % 20),
            format!("2024-01-{:02}", 1 + n % 28),
            pieces.to_string(),
            price.to_string(),
            (f64::from(pieces) * price).to_string(),
        ];
        sample.push(texts.iter().map(|text| Value::text(text)));
    }
    let found = roles(sample, Format::Csv, &Columns::default())
        .unwrap()
        .amount
        .unwrap();
    assert_eq!(
        (found.mapping, found.reason.as_str()),
        (Mapping::Column("x".to_owned()), "`qty` times `unit_price`")
    );
}

#[test]
fn tables_without_users_or_times_are_refused_with_what_the_columns_look_like() {
    for (header, line, field) in [
        (
            "order_id,user_id,order_number,order_dow,days_since_prior_order",
            "{n},{u},3,4,7.0",
            "time",
        ),
        ("customerID,gender,tenure,Churn", "{u},F,12,No", "time"),
        (
            "timestamp,item_id,position,click",
            "{d} 10:00:00,{n},2,0",
            "user",
        ),
        (
            "household_key,BASKET_ID,DAY,SALES_VALUE",
            "{u},2698{n},{q},{a}",
            "time",
        ),
        (
            "customer_id,birth_date,city",
            "{u},1970-01-{q},London",
            "time",
        ),
    ] {
        match roles(sample(header, line, &[]), Format::Csv, &Columns::default()) {
            Err(InitError::NoColumn {
                field: found,
                columns,
                ..
            }) => {
                assert_eq!(
                    (found, columns.lines().count()),
                    (field, header.split(',').count()),
                    "{header}"
                );
            }
            other => panic!("{header}: {other:?}"),
        }
    }
}

#[test]
fn given_columns_are_taken_and_others_are_asked_for() {
    let header = "account_id,contact_email,created_at,updated_at";
    let line = "a{u},c{q}@x.org,{d},{d}";
    let given = Columns {
        user: Some("CONTACT_EMAIL".to_owned()),
        ..Columns::default()
    };
    let found = roles(sample(header, line, &[]), Format::Csv, &given).unwrap();
    assert_eq!(
        found.user.mapping,
        Mapping::Column("contact_email".to_owned())
    );
    let unknown = Columns {
        time: Some("create_at".to_owned()),
        ..Columns::default()
    };
    match roles(sample(header, line, &[]), Format::Csv, &unknown) {
        Err(InitError::UnknownColumn { nearest, .. }) => {
            assert_eq!(nearest.as_deref(), Some("created_at"))
        }
        other => panic!("{other:?}"),
    }
    // Two columns that could both be the user: the answer decides, and without one the first is taken with a doubt.
    let (header, line) = ("customer_id,client_id,date", "a{u},c{u},{d}");
    let profiles = profiles(sample(header, line, &[]), Decimal::Point);
    let mut asked = Vec::new();
    let mut ask = |question: &Question| {
        asked.push(question.field);
        Some(1)
    };
    let search = Search {
        profiles: &profiles,
        format: Format::Csv,
        is_unnamed: false,
        given: &Columns::default(),
        ask: &mut ask,
    };
    let found = search.roles().unwrap().user;
    assert_eq!(
        (found.mapping, found.is_doubtful),
        (Mapping::Column("client_id".to_owned()), false)
    );
    assert_eq!(asked, ["user"]);
    let alone = roles(sample(header, line, &[]), Format::Csv, &Columns::default())
        .unwrap()
        .user;
    assert_eq!(
        (alone.mapping, alone.is_doubtful),
        (Mapping::Column("customer_id".to_owned()), true)
    );
}

#[test]
fn gaps_in_json_are_kinds_and_amounts_of_their_own() {
    let names = ["user", "at", "event", "qty", "price"].map(str::to_owned);
    let mut sample = Sample::of_columns(&names);
    for n in 0..200 {
        let number = |text: String| Value {
            text,
            nature: crate::init::sample::Nature::Number,
        };
        let kind = ["order", "", "view"][n % 3];
        let bought = n % 3 == 0;
        let filled = |value: Value| if bought { value } else { Value::empty() };
        sample.push(
            [
                Value::text(&format!("u{}", n % 30)),
                Value::text(&format!("2024-02-{:02}", 1 + n % 28)),
                Value::text(kind),
                filled(number((1 + n % 4).to_string())),
                filled(number(format!("{}.5", n))),
            ]
            .into_iter(),
        );
    }
    let found = roles(sample, Format::Jsonl, &Columns::default()).unwrap();
    let text = |finding: Option<Finding>| finding.unwrap().mapping.to_string();
    assert_eq!(text(found.kind), "event == null ? \"other\" : event");
    assert_eq!(
        text(found.amount),
        "qty == null || price == null ? 0.0 : double(qty) * double(price)"
    );
}

#[test]
fn no_method_is_called_on_values_that_json_does_not_have() {
    // Half of the rows have no total, and one in ten gives money back.
    let sample = |name: &str| {
        let mut sample = Sample::of_columns(&["user", "at", name].map(str::to_owned));
        for n in 0..200 {
            let total = match n % 20 {
                0 => format!("-${n}.50"),
                part if part % 2 == 0 => format!("${n}.50"),
                _ => String::new(),
            };
            sample.push(
                [
                    Value::text(&format!("u{}", n % 30)),
                    Value::text(&format!("2024-02-{:02}", 1 + n % 28)),
                    Value::text(&total),
                ]
                .into_iter(),
            );
        }
        sample
    };
    let text = |finding: Option<Finding>| finding.unwrap().mapping.to_string();
    let found = |name, format| roles(sample(name), format, &Columns::default()).unwrap();
    let (json, csv) = (found("total", Format::Jsonl), found("total", Format::Csv));
    assert_eq!(
        text(json.amount),
        "total == null ? \"\" : total.replace(\"$\", \"\").trim()"
    );
    assert_eq!(text(csv.amount), "total.replace(\"$\", \"\").trim()");
    assert_eq!(
        text(json.kind),
        "!(total == null) && total.startsWith(\"-\") ? \"return\" : \"purchase\""
    );
    assert_eq!(
        text(csv.kind),
        "total.startsWith(\"-\") ? \"return\" : \"purchase\""
    );
    // Nor is anything asked of an object that is not there.
    let nested = found("a.b.total", Format::Jsonl);
    assert_eq!(
        text(nested.amount),
        "a == null || !has(a.b) || a.b == null || !has(a.b.total) || a.b.total == null ? \"\" : \
         a.b.total.replace(\"$\", \"\").trim()"
    );
}

#[test]
fn blanks_between_the_digits_of_prices_are_no_part_of_a_product() {
    let names = ["client", "date", "quantite", "prix_unitaire"].map(str::to_owned);
    let mut sample = Sample::of_columns(&names);
    for n in 0..200 {
        let price = format!("1\u{202f}{:03},50", n);
        sample.push(
            [
                Value::text(&format!("u{}", n % 30)),
                Value::text(&format!("2024-02-{:02}", 1 + n % 28)),
                Value::text(&(1 + n % 4).to_string()),
                Value::text(&price),
            ]
            .into_iter(),
        );
    }
    let found = roles(sample, Format::Csv, &Columns::default()).unwrap();
    assert_eq!(
        found.amount.unwrap().mapping.to_string(),
        "double(quantite) * double(prix_unitaire.replace(\"\u{202f}\", \"\").replace(\".\", \"\").replace(\",\", \".\"))"
    );
}
