use super::*;
use crate::features::FeatureSchema;

#[test]
fn hinges_lie_inside_the_columns_that_have_an_inside() {
    // A ramp, a flag and a constant.
    let z: Vec<f64> = (0..100)
        .flat_map(|i| [f64::from(i) / 10.0, f64::from(i % 2), 4.0])
        .collect();
    let expansion = fit_expansion(&z, 3, &[0, 1, 2], &[0, 1]);
    let of = |column| {
        expansion
            .hinges
            .iter()
            .filter(|k| k.column == column)
            .map(|k| k.knot)
            .collect::<Vec<_>>()
    };
    assert_eq!(of(0).len(), 3);
    assert!(of(0).iter().all(|knot| (0.0..9.9).contains(knot)));
    assert!(
        of(1).iter().all(|knot| *knot < 1.0),
        "nothing lies above the top"
    );
    assert_eq!(of(2), [0.0; 0]);
    assert_eq!(expansion.interactions.len(), 3);
    let mut row = vec![9.9, 1.0, 4.0];
    expansion.extend(&mut row, 0);
    assert!(row.iter().all(|x| x.is_finite()));
}

fn design<'a>(
    catalogue: &'a Catalogue,
    preprocessing: &'a Preprocessing,
    horizon_days: u16,
) -> Design<'a> {
    Design {
        catalogue,
        preprocessing,
        horizon_days: Some(horizon_days),
    }
}

#[test]
fn a_horizon_has_hinges_on_what_is_its_own() {
    let schema = |horizon_days: &[u16]| FeatureSchema {
        activity: vec!["purchase".into()],
        other_kinds: vec!["visit".into()],
        horizon_days: horizon_days.to_vec(),
        amounts: true,
        seasonal_years: 0,
        lead_days: 0,
        value_kinds: Vec::new(),
        attributes: Vec::new(),
    };
    let bare = Preprocessing {
        columns: Vec::new(),
        bg_nbd: Some(BgNbd {
            r: 1.0,
            alpha: 9.0,
            a: 1.0,
            b: 2.0,
        }),
    };
    let alone = Catalogue::new(schema(&[30])).unwrap();
    assert_eq!(
        hinge_columns(&design(&alone, &bare, 30)).len(),
        alone.len() + 3,
        "one horizon: everything"
    );
    let several = Catalogue::new(schema(&[14, 30, 90])).unwrap();
    let of = |h| hinge_columns(&design(&several, &bare, h));
    let names = |h| {
        of(h)
            .iter()
            .filter_map(|c| Some(several.features().get(*c)?.name.clone()))
            .collect::<Vec<_>>()
    };
    assert!(
        names(30).contains(&"visit_count_30d".to_owned())
            && !names(90).contains(&"visit_count_30d".to_owned())
    );
    assert!([14, 30, 90].iter().all(
        |h| of(*h).len() < several.len() && names(*h).contains(&"recency_days".to_owned())
    ));
}

#[test]
fn without_a_horizon_all_columns_have_hinges_and_orders_have_interactions() {
    let catalogue = Catalogue::new(FeatureSchema {
        activity: vec!["purchase".into()],
        other_kinds: vec![],
        horizon_days: vec![14, 30],
        amounts: true,
        seasonal_years: 0,
        lead_days: 0,
        value_kinds: vec!["purchase".into()],
        attributes: Vec::new(),
    })
    .unwrap();
    let columns = fit_preprocessing(&Dataset::default(), &catalogue, None);
    let of_spend = Design {
        horizon_days: None,
        ..design(&catalogue, &columns, 0)
    };
    assert!(hinge_columns(&of_spend).into_iter().eq(0..catalogue.len()));
    let interacting = interaction_columns(&of_spend);
    let orders = catalogue.orders().filter(|k| interacting.contains(k));
    assert_eq!(orders.count(), 4, "all but their age");
}

#[test]
fn moments_of_nothing_and_of_a_constant_divide_by_one() {
    assert_eq!(moments(std::iter::empty()).std_dev, 1.0);
    let m = moments([3.0, 3.0].into_iter());
    assert_eq!(
        (m.mean, m.std_dev, m.clip_min, m.clip_max),
        (3.0, 1.0, 3.0, 3.0)
    );
    assert_eq!(moments([1.0, 3.0].into_iter()).std_dev, 1.0);
    assert_eq!(moments([1.0, 5.0].into_iter()).std_dev, 2.0);
}
