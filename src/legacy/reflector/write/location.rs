//! Which database a URL names.

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

/// The URL as our driver takes it, of one as Reflector's `DATABASE_URL` has it: without the
/// `+driver` in its scheme. None for another kind of database.
pub(in crate::legacy::reflector) fn without_driver(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.split('+').next().unwrap_or_default();
    let is_ours = ["postgres", "postgresql"].contains(&scheme);
    is_ours.then(|| format!("{scheme}://{rest}"))
}

/// Whether both URLs name the same PostgreSQL database, by host, port and name, so that one
/// transaction can hold rows of both. Names are compared as they are written (but for upper and lower
/// case of the host): `localhost` is not `127.0.0.1`, which costs the shared transaction and nothing
/// else.
pub fn same_database(own_url: &str, reflectors_url: &str) -> bool {
    match (Place::of(own_url), Place::of(reflectors_url)) {
        (Some(own), Some(reflectors)) => own == reflectors,
        _ => false,
    }
}

#[derive(PartialEq)]
struct Place {
    host: String,
    port: u16,
    database: String,
}

impl Place {
    /// As the driver would find it, its defaults included.
    fn of(url: &str) -> Option<Self> {
        let options = PgConnectOptions::from_str(&without_driver(url)?).ok()?;
        let host = match options.get_socket() {
            Some(folder) => folder.display().to_string(),
            None => options.get_host().to_ascii_lowercase(),
        };
        Some(Self {
            host,
            port: options.get_port(),
            database: options
                .get_database()
                .unwrap_or_else(|| options.get_username())
                .to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_port_and_name_make_a_database() {
        let own = "postgres://switchyard:one@db.example.test/reflector";
        for (reflectors, same) in [
            (
                "postgresql+asyncpg://reflector:two@db.example.test:5432/reflector",
                true,
            ),
            (
                "postgresql://DB.example.test/reflector?application_name=x",
                true,
            ),
            ("postgresql://db.example.test/reflector?host=other", false),
            ("postgresql://db.example.test:5433/reflector", false),
            ("postgresql://db.example.test/other", false),
            ("postgresql://other.example.test/reflector", false),
            ("sqlite:reflector", false),
            ("", false),
        ] {
            assert_eq!(same_database(own, reflectors), same, "{reflectors}");
            assert_eq!(same_database(reflectors, own), same, "{reflectors}");
        }
        assert!(!same_database("sqlite:x", "sqlite:x"));
        assert!(same_database(
            "postgres://reflector@db.example.test/reflector",
            "postgres://reflector@db.example.test"
        ));
    }
}
