//! Attacks on a listener that is told what to do, on this machine's own addresses.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use super::{CEASE, Kind, Plan, Tally, run};

const PATIENCE: Duration = Duration::from_secs(30);

/// An attack that goes on, and how it is asked.
struct Under {
    told: std::io::PipeWriter,
    heard: BufReader<std::io::PipeReader>,
}

impl Under {
    fn attack(kind: Kind, listener: &TcpListener) -> Self {
        let SocketAddr::V4(target) = listener.local_addr().unwrap() else { panic!("not IPv4") };
        let ((input, told), (heard, mut out)) = (std::io::pipe().unwrap(), std::io::pipe().unwrap());
        let plan = Plan { kind, target, sources: Vec::new() };
        std::thread::spawn(move || run(plan, BufReader::new(input), &mut out));
        Self { told, heard: BufReader::new(heard) }
    }

    fn ask(&mut self, line: &str) -> Tally {
        writeln!(self.told, "{line}").unwrap();
        let mut answer = String::new();
        self.heard.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    fn until(&mut self, wanted: impl Fn(&Tally) -> bool) -> Tally {
        let begun = Instant::now();
        loop {
            let tally = self.ask("");
            if wanted(&tally) {
                return tally;
            }
            assert!(begun.elapsed() < PATIENCE, "{tally:?}");
        }
    }
}

#[test]
fn connections_that_are_closed_are_not_open_and_come_again_until_the_attack_ceases() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut attack = Under::attack(Kind::HalfFrame, &listener);
    // Held, so that they are open; then dropped, so that they are not.
    let mut held = Vec::new();
    for _ in 0..20 {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 24];
        stream.read_exact(&mut head).unwrap();
        assert_eq!(&head[4..11], b"version");
        held.push(stream);
    }
    attack.until(|tally| tally.open >= 20 && tally.opened >= 20);
    attack.ask(CEASE);
    listener.set_nonblocking(true).unwrap();
    let begun = Instant::now();
    drop(held);
    loop {
        while listener.accept().is_ok() {}
        let tally = attack.ask("");
        if tally.open == 0 {
            assert!(tally.opened >= 20, "{tally:?}");
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{tally:?}");
    }
}
