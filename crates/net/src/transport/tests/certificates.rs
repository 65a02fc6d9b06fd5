use super::*;
use crate::error::CertificateError;

fn start(files: Tls) -> Result<(), StartError> {
    build(&Keypair::generate_ed25519(), &Options { tls: Some(files), ..options() }).map(|_| ())
}

fn refused(files: Tls) -> (CertificateError, String) {
    match start(files) {
        Err(StartError::Certificate(why)) => {
            let text = why.to_string();
            (why, text)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_good_certificate_is_taken() {
    start(Certificate::new().files()).unwrap();
}

#[tokio::test]
async fn one_that_has_expired_is_not() {
    let certificate = Certificate::lasting(2001, 2002);
    let (why, text) = refused(certificate.files());
    assert!(matches!(why, CertificateError::Expired { .. }), "{why:?}");
    assert!(text.contains("2001") && text.contains("2002"), "{text}");
}

#[tokio::test]
async fn one_that_is_not_valid_yet_is_not() {
    let (why, _) = refused(Certificate::lasting(3000, 3001).files());
    assert!(matches!(why, CertificateError::Expired { .. }), "{why:?}");
}

#[test]
fn its_first_and_last_moment_count() {
    let certificate = Certificate::lasting(2010, 2020);
    let at = |seconds| tls::acceptor(&certificate.files(), SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    let (first, last) = (1_262_304_000, 1_577_836_800);
    assert!(at(first - 1).is_err() && at(first).is_ok());
    assert!(at(last).is_ok() && at(last + 1).is_err());
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    let certificate = Certificate::new();
    let mut files = certificate.files();
    files.key = certificate.path("no such file");
    let (why, text) = refused(files);
    assert!(matches!(why, CertificateError::Unreadable { .. }), "{why:?}");
    assert!(text.contains("no such file"), "{text}");
}

#[tokio::test]
async fn a_file_that_holds_something_else_is_named() {
    let certificate = Certificate::new();
    let swapped = Tls { certificate: certificate.path("key.pem"), key: certificate.path("cert.pem") };
    let (why, _) = refused(swapped);
    assert!(matches!(why, CertificateError::Missing { what: "certificate", .. }), "{why:?}");
    let no_key = Tls { key: certificate.path("cert.pem"), ..certificate.files() };
    let (why, _) = refused(no_key);
    assert!(matches!(why, CertificateError::Missing { what: "private key", .. }), "{why:?}");
    let empty = certificate.path("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let (why, _) = refused(Tls { certificate: empty, ..certificate.files() });
    assert!(matches!(why, CertificateError::Missing { .. }), "{why:?}");
}

#[tokio::test]
async fn the_key_of_another_certificate_is_refused() {
    let (one, other) = (Certificate::new(), Certificate::new());
    let mixed = Tls { certificate: one.path("cert.pem"), key: other.path("key.pem") };
    let (why, _) = refused(mixed);
    assert!(matches!(why, CertificateError::Unusable { .. }), "{why:?}");
}

#[tokio::test]
async fn an_authority_that_can_not_be_read_is_named() {
    let trust = vec![PathBuf::from("/no/such/authority.pem")];
    let outcome = build(&Keypair::generate_ed25519(), &Options { trust, ..options() });
    assert!(matches!(
        outcome.map(|_| ()),
        Err(StartError::Certificate(CertificateError::Unreadable { path, .. })) if path.ends_with("authority.pem")
    ));
    let broken = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(broken.path(), "-----BEGIN CERTIFICATE-----\nMAAB\n-----END CERTIFICATE-----\n").unwrap();
    let outcome = build(&Keypair::generate_ed25519(), &Options { trust: vec![broken.path().into()], ..options() });
    let outcome = outcome.map(|_| ());
    assert!(matches!(outcome, Err(StartError::Certificate(CertificateError::Authority { .. }))), "{outcome:?}");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let certificate = Certificate::new();
    let (port, addresses) = on(LOOPBACK, Some(certificate.files()));
    let _alice = Node::start(&Options { tls: Some(certificate.files()), ..options() }, &addresses).await;
    let stranger = Node::start(&options(), &[]).await;
    let refused = stranger.dial(&format!("/dns4/localhost/tcp/{port}/wss").parse().unwrap()).await;
    let text = refused.map(|(peer, _)| peer).unwrap_err().to_string();
    assert!(text.contains("certificate"), "{text}");
}

#[tokio::test]
async fn a_certificate_of_another_name_is_refused() {
    let certificate = Certificate::new();
    let (port, addresses) = on(LOOPBACK, Some(certificate.files()));
    let _alice = Node::start(&Options { tls: Some(certificate.files()), ..options() }, &addresses).await;
    let bob = Node::start(&Options { trust: vec![certificate.path("cert.pem")], ..options() }, &[]).await;
    let refused = bob.dial(&format!("/ip4/127.0.0.1/tcp/{port}/tls/sni/bank.example/ws").parse().unwrap()).await;
    let text = refused.map(|(peer, _)| peer).unwrap_err().to_string();
    assert!(text.contains("certificate"), "{text}");
}
