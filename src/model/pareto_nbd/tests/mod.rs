mod sound;

use super::*;

/// The published fit of the CDNOW sample, with alpha and beta in days.
const CDNOW: ParetoNbd = ParetoNbd {
    r: 0.553,
    alpha: 10.578 * 7.0,
    s: 0.606,
    beta: 11.669 * 7.0,
};

/// A user whose times are in weeks, as in the literature.
fn weeks(frequency: u32, last: f64, age: f64) -> Purchases {
    Purchases::new(frequency, 7.0 * last, 7.0 * age).unwrap()
}

fn close(got: f64, expected: f64, tolerance: f64) -> bool {
    (got - expected).abs() <= tolerance * expected.abs()
}

/// Discount a week, x, t_x and T in weeks, P(alive), expected orders in 39 and 52 weeks, discounted orders. Source: mpmath
/// with 40 digits, by Tricomi's function (the JMR paper) and by quadrature.
const DISCOUNTED: [[f64; 8]; 13] = [
    [
        0.002_7,
        7.0,
        35.0,
        77.86,
        0.058_557_395_343_227_9,
        0.173_999_667_030_051,
        0.224_701_106_661_142,
        0.892_655_022_627_882,
    ],
    [
        0.002_7,
        0.0,
        0.0,
        77.86,
        0.162_632_417_424_614,
        0.035_381_759_853_16,
        0.045_691_585_106_601,
        0.181_515_897_021_125,
    ],
    [
        0.002_7,
        1.0,
        30.0,
        77.86,
        0.455_033_371_100_992,
        0.278_010_939_471_338,
        0.359_020_030_494_222,
        1.426_254_806_692_97,
    ],
    [
        0.002_7,
        2.0,
        70.0,
        77.86,
        0.939_223_302_759_55,
        0.943_336_971_180_398,
        1.218_214_178_202_98,
        4.839_517_797_521_56,
    ],
    [
        0.002_7,
        14.0,
        70.0,
        77.86,
        0.891_053_447_799_531,
        5.101_565_487_458_25,
        6.588_101_174_573_97,
        26.172_107_874_540_8,
    ],
    [
        0.002_7,
        2.0,
        30.43,
        38.86,
        0.869_167_559_153_011,
        1.455_123_193_257_6,
        1.850_826_720_701_95,
        6.483_773_567_730_74,
    ],
    [
        0.002_7,
        26.0,
        30.86,
        31.0,
        0.997_918_731_055_158,
        20.117_026_077_370_5,
        25.458_472_951_428_8,
        86.056_493_601_164_5,
    ],
    [
        0.002_7,
        0.0,
        0.0,
        38.86,
        0.295_286_604_616_894,
        0.107_081_468_215_309,
        0.136_201_005_923_905,
        0.477_136_229_032_195,
    ],
    [
        0.002_7,
        4.0,
        10.0,
        38.86,
        0.090_101_470_585_377_5,
        0.269_014_054_155_268,
        0.342_169_241_739_787,
        1.198_679_411_998_92,
    ],
    [
        0.002_687_73,
        7.0,
        35.0,
        77.86,
        0.058_557_395_343_227_9,
        0.173_999_667_030_051,
        0.224_701_106_661_142,
        0.895_316_668_798_942,
    ],
    [
        0.002_687_73,
        2.0,
        70.0,
        77.86,
        0.939_223_302_759_55,
        0.943_336_971_180_398,
        1.218_214_178_202_98,
        4.853_947_878_223_54,
    ],
    [
        0.002_687_73,
        26.0,
        30.86,
        31.0,
        0.997_918_731_055_158,
        20.117_026_077_370_5,
        25.458_472_951_428_8,
        86.289_882_319_989_9,
    ],
    [
        0.002_687_73,
        0.0,
        0.0,
        38.86,
        0.295_286_604_616_894,
        0.107_081_468_215_309,
        0.136_201_005_923_905,
        0.478_457_632_889_492,
    ],
];

#[test]
fn figures_match_forty_digits() {
    for [discount, x, last, age, alive, in_39, in_52, discounted] in DISCOUNTED {
        let user = weeks(x as u32, last, age);
        let got = [
            CDNOW.p_alive(&user),
            CDNOW.expected_orders(&user, 273.0),
            CDNOW.expected_orders(&user, 364.0),
            CDNOW.discounted_orders(&user, discount / 7.0),
        ];
        for (got, expected) in got.into_iter().zip([alive, in_39, in_52, discounted]) {
            assert!(close(got, expected, 2e-13), "{user:?}: {got} {expected}");
        }
    }
}

/// The printed figures of the R package BTYD's walk-through, at a fit of the same sample whose digits it does not print: the
/// published parameters give them to four digits, those of the highest likelihood the first one to six.
#[test]
fn expectations_are_the_printed_ones() {
    let model = ParetoNbd {
        r: 0.553_275_5,
        alpha: 10.577_612_24 * 7.0,
        s: 0.606_213_47,
        beta: 11.667_908_08 * 7.0,
    };
    assert!(close(model.expected_of_new(364.0), 1.473_434, 1e-5));
    for (x, last, age, expected) in [
        (26, 30.857_14, 31.0, 25.456_47),
        (10, 20.0, 39.0, 0.706_228_9),
        (15, 20.0, 39.0, 0.144_239_6),
        (20, 20.0, 39.0, 0.022_506_58),
        (25, 20.0, 39.0, 0.003_092_67),
    ] {
        let got = CDNOW.expected_orders(&weeks(x, last, age), 364.0);
        assert!(close(got, expected, 2e-4), "{x}: {got}");
    }
    let alive = CDNOW.p_alive(&weeks(26, 30.857_14, 31.0));
    assert!((alive - 0.997_874).abs() < 1e-6, "{alive}");
    // The negative control: another shape of drop-out is seen.
    let other = ParetoNbd { s: 0.61, ..model };
    assert!(!close(other.expected_of_new(364.0), 1.473_434, 1e-4));
}

/// States at which earlier versions of the R package CLVTools gave NaN and the Python package lifetimes lost the answer.
#[test]
fn frequent_customers_stay_finite() {
    let model = ParetoNbd {
        r: 0.5143,
        alpha: 2.8845 * 7.0,
        s: 0.2856,
        beta: 14.1087 * 7.0,
    };
    for (x, last, age) in [
        (221, 103.428_57, 103.571_43),
        (254, 97.142_86, 97.285_71),
        (161, 94.714_29, 98.0),
        (204, 98.571_43, 99.428_57),
    ] {
        let user = weeks(x, last, age);
        let alive = model.p_alive(&user);
        assert!((0.0..=1.0).contains(&alive), "{x}: {alive}");
        assert!(model.log_likelihood(&user).is_finite());
    }
    let model = ParetoNbd {
        r: 0.55,
        alpha: 10.58 * 7.0,
        s: 0.61,
        beta: 11.67 * 7.0,
    };
    for (x, expected) in [(132, 6.206_051_788_963_242), (133, 6.252_872_247_574_811)] {
        let got = model.expected_orders(&weeks(x, 200.0, 200.0), 70.0);
        assert!(close(got, expected, 1e-12), "{x}: {got}");
    }
}

/// Value at risk in orders, with 25 digits: x, t_x, T in weeks, then P(silent in 13 weeks), discounted orders, those after a
/// silence, and those without one.
#[test]
fn a_silence_divides_what_is_to_come() {
    for (x, last, age, silent, value, lost, kept) in [
        (
            2,
            30.43,
            38.86,
            0.633_093_518_103,
            6.483_773_567_73,
            4.100_037_314_2,
            10.596_886_977_9,
        ),
        (
            7,
            35.0,
            77.86,
            0.963_482_529_632,
            0.892_655_022_628,
            0.267_003_067_382,
            17.399_952_007_8,
        ),
        (
            14,
            70.0,
            77.86,
            0.251_296_924_955,
            26.172_107_874_5,
            11.491_999_866_1,
            31.099_382_949_9,
        ),
    ] {
        let (discount, horizon) = (0.0027 / 7.0, 91.0);
        let state = CDNOW.state(&weeks(x, last, age));
        let silence = state.silent(horizon);
        let p = silence.probability;
        let worth = state.discounted_orders(discount);
        let after = libm::exp(-discount * horizon) * silence.then.discounted_orders(discount);
        let without = (worth - p * after) / (1.0 - p);
        for (got, expected) in [(p, silent), (worth, value), (after, lost), (without, kept)] {
            assert!(close(got, expected, 1e-11), "{x}: {got} {expected}");
        }
    }
}

#[test]
fn without_a_discount_there_may_be_no_end() {
    let user = weeks(2, 30.43, 38.86);
    assert_eq!(CDNOW.discounted_orders(&user, 0.0), f64::INFINITY);
    let ends = ParetoNbd { s: 1.5, ..CDNOW };
    let all = ends.discounted_orders(&user, 0.0);
    assert!(close(ends.discounted_orders(&user, 1e-14), all, 1e-5));
    assert!(close(ends.expected_orders(&user, 1e9), all, 1e-3));
    // Without an end in sight either, the discounted sum of a span is the plain one.
    let state = CDNOW.state(&user);
    assert_eq!(
        state.discounted_orders_within(90.0, 0.0),
        state.expected_orders(90.0)
    );
    // The sum over months, each discounted from its middle, comes to nearly the same.
    let month = 365.25 / 12.0;
    let months: f64 = (0..36)
        .map(f64::from)
        .map(|k| {
            let orders =
                state.expected_orders((k + 1.0) * month) - state.expected_orders(k * month);
            orders * libm::exp(-2.6e-4 * (k + 0.5) * month)
        })
        .sum();
    let within = state.discounted_orders_within(36.0 * month, 2.6e-4);
    assert!(close(months, within, 1e-4), "{months} {within}");
    assert!(!close(within, state.expected_orders(36.0 * month), 0.05));
}

#[test]
fn nothing_jumps_where_a_closed_form_would_divide_by_zero() {
    let user = weeks(2, 30.43, 38.86);
    let at = |s: f64| {
        let model = ParetoNbd { s, ..CDNOW };
        [
            model.expected_orders(&user, 1_000.0),
            model.discounted_orders(&user, 2.6e-4),
        ]
    };
    let exact = at(1.0);
    for s in [
        1.0 - 1e-15,
        1.0 + 1e-15,
        1.0 - 1e-12,
        1.0 + 1e-12,
        1.0 + 1e-9,
    ] {
        for (got, exact) in at(s).into_iter().zip(exact) {
            assert!(
                close(got, exact, 1e-13 + 10.0 * (s - 1.0).abs()),
                "{s}: {got} {exact}"
            );
        }
    }
}

/// Where nobody drops out it is the negative binomial distribution; where people do, it is not.
#[test]
fn without_dropout_it_is_the_negative_binomial_distribution() {
    let user = weeks(2, 30.43, 38.86);
    let rate = |model: &ParetoNbd| (model.r + 2.0) / (model.alpha + 272.02);
    let nobody_leaves = ParetoNbd {
        s: 1e-6,
        beta: 1e6,
        ..CDNOW
    };
    assert!(nobody_leaves.p_alive(&user) > 1.0 - 1e-8);
    let got = nobody_leaves.expected_orders(&user, 100.0);
    assert!(close(got, 100.0 * rate(&nobody_leaves), 1e-8), "{got}");
    let got = CDNOW.expected_orders(&user, 100.0);
    assert!(got < 0.86 * 100.0 * rate(&CDNOW), "{got}");
}

/// Unlike in BG/NBD, one who came once can be gone, and one who has just come is there.
#[test]
fn silence_counts_against_those_who_came_once() {
    let alive = |age: f64| CDNOW.p_alive(&Purchases::new(0, 0.0, age).unwrap());
    assert_eq!(alive(0.0), 1.0);
    assert!(alive(30.0) > 0.8 && alive(300.0) < 0.3 && alive(3_000.0) < 0.05);
    assert_eq!(CDNOW.p_alive(&weeks(5, 40.0, 40.0)), 1.0);
    assert_eq!(CDNOW.new_customer(), CDNOW.state(&weeks(0, 0.0, 0.0)));
}

#[test]
fn parameters_that_cannot_be_are_refused() {
    assert_eq!(CDNOW.validate(), Ok(()));
    for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e7] {
        let problem = ParetoNbd {
            beta: wrong,
            ..CDNOW
        }
        .validate()
        .unwrap_err();
        assert!(problem.to_string().starts_with("beta is "), "{problem}");
    }
    let json = r#"{"r": 0.2, "alpha": 30.0, "s": 0.8, "beta": 2.4, "c": 1.0}"#;
    assert!(serde_json::from_str::<ParetoNbd>(json).is_err());
    assert!(serde_json::from_str::<ParetoNbd>(&json.replace(r#", "c": 1.0"#, "")).is_ok());
}
