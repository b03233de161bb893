use switchyard::legacy::reflector::{Fault, Reflector, ReflectorError};
use url::Url;

use super::world::{Columns, World};

#[tokio::test]
async fn a_reflector_of_the_newest_schema_has_no_faults() {
    let Some(world) = World::fresh(Columns::All).await else {
        return;
    };
    let check = world.reflector.check().await.unwrap();
    assert_eq!(check.faults, []);
    assert!(!check.may_write);
    assert_eq!(check.schema, world.reflector.schema().await.unwrap());
    assert_eq!(check.schema.revision.as_deref(), Some("0f943fede0e0"));
    assert!(check.schema.has_workflow_id && check.schema.has_workflow_run_id);
    world.remove().await;
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let Some(mut world) = World::fresh(Columns::All).await else {
        return;
    };
    let change = format!(
        "alter table room drop column webhook_secret;
         drop table calendar_event cascade;
         revoke select on meeting, alembic_version from {0};
         grant select (id) on meeting to {0}",
        world.reader
    );
    world.change(&change).await;
    let check = world.reflector.check().await.unwrap();
    assert_eq!(
        check.faults,
        [
            Fault::NoTable("calendar_event"),
            Fault::NoColumn("room", "webhook_secret"),
            Fault::MayNotRead("meeting", "calendar_event_id"),
        ]
    );
    assert_eq!(check.schema.revision, None);
    world.remove().await;
}

#[tokio::test]
async fn a_database_that_is_no_reflectors_is_told_by_its_tables() {
    let Some(mut world) = World::fresh(Columns::All).await else {
        return;
    };
    world
        .change("drop schema public cascade; create schema public")
        .await;
    let check = world.reflector.check().await.unwrap();
    let tables = [
        "calendar_event",
        "meeting",
        "meeting_consent",
        "recording",
        "room",
        "transcript",
    ];
    assert_eq!(check.faults, tables.map(Fault::NoTable));
    assert_eq!(check.schema.revision, None);
    world.remove().await;
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_refused_and_its_url_not_told() {
    let Some(world) = World::fresh(Columns::All).await else {
        return;
    };
    let mut url = Url::parse(&world.database.url).unwrap();
    url.set_path("no_such_database");
    let reflector = Reflector::open(url.as_str()).unwrap();
    let error = reflector.check().await.unwrap_err();
    assert!(matches!(error, ReflectorError::Refused { .. }), "{error}");
    assert!(!format!("{:#}", anyhow::Error::from(error)).contains("://"));
    world.remove().await;
}
