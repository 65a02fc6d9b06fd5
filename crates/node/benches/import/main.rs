//! What importing a chain costs, as ratios to a floor measured in the same run.
//!
//! The floor is the chain's signatures, verified by libsecp256k1 alone on all cores: nothing that verifies scripts one
//! by one can be faster. Machines are noisy, so floor and imports alternate, and medians are compared.
//!
//! `YAP_TEST_DATA`: a folder with `regtest-240.blk`; without it a small chain is measured, and says little.
//! `YAP_BENCH_RUNS`: how many times each is measured (default 5).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a bench may panic")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is what it prints")]

mod chain;
mod measure;
mod signatures;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chain::Chain;
use measure::Cost;
use signatures::{Check, Checks, Extractor};
use yap_chain::bitcoin::secp256k1::{Secp256k1, VerifyOnly};
use yap_chain::bitcoin::{Transaction, consensus};
use yap_chain::verify::Job;
use yap_script::engine::{No, Span};
use yap_script::{Batch, Engine, Kernel, Pool, Reason, Template, check, pool};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((measure::MEASURE, program)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        if let Err(error) = measure::run_and_print(program) {
            eprintln!("{error}");
            std::process::exit(1);
        }
        return;
    }
    let file = chain_file();
    let chain = Chain::read(&file);
    let runs = std::env::var("YAP_BENCH_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(5).max(1);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("chain: {}, {} blocks, {} inputs", file.display(), chain.blocks.len(), chain.inputs());
    println!("machine: {cores} cores; each figure is the median of {runs} runs\n");
    let secp = Secp256k1::verification_only();
    let checks = extract(&chain, &secp);
    let bench = Bench { chain, file, secp, checks, cores, runs };
    bench.engine();
    bench.import();
}

fn chain_file() -> PathBuf {
    match std::env::var_os("YAP_TEST_DATA") {
        Some(folder) => Path::new(&folder).join("regtest-240.blk"),
        None => {
            println!("YAP_TEST_DATA is not set: this is a small chain");
            PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/regtest-160.blk"))
        }
    }
}

/// Every signature of the chain, and how many were found by template. Each is verified here once.
fn extract(chain: &Chain, secp: &Secp256k1<VerifyOnly>) -> Checks {
    let mut all = Checks::default();
    let mut found = BTreeMap::<Template, [usize; 5]>::new();
    for job in chain.jobs() {
        let transaction: Transaction = consensus::deserialize(job.transaction.as_slice()).unwrap();
        let mut extractor = Extractor::new(secp, &transaction, job);
        for (index, (coin, spender)) in job.spent.iter().zip(&transaction.input).enumerate() {
            let template = Template::of(coin.script(), &spender.script_sig, &spender.witness);
            let checks = extractor.input(index, template);
            let unknown = usize::from(checks.is_none());
            let mut checks = checks.unwrap_or_default();
            let counts = [1, unknown, checks.good.len(), checks.vain.len(), checks.commitments.len()];
            found.entry(template).or_default().iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            all.append(&mut checks);
        }
    }
    let names = ["inputs", "unknown", "signatures", "in vain", "commitments"];
    println!("{:<18} {}", "template", names.map(|name| format!("{name:>12}")).concat());
    for (template, counts) in &found {
        println!("{:<18} {}", template.to_string(), counts.map(|count| format!("{count:>12}")).concat());
    }
    let ratio = all.good.len() as f64 / chain.inputs() as f64;
    println!("{} signatures, {ratio:.3} per input. Unknown: inputs whose signatures were not found.", all.good.len());
    println!("In vain: pairs of key and signature that OP_CHECKMULTISIG tries and that do not fit.\n");
    all
}

/// An engine that believes everything: what is left is the pool.
struct Nothing;

impl Engine for Nothing {
    type Prepared = ();

    fn prepare(&self, _: &Job) -> Result<(), Reason> {
        Ok(())
    }

    fn verify(&self, _: &[Span<'_, ()>]) -> Vec<No> {
        Vec::new()
    }
}

struct Bench {
    chain: Chain,
    file: PathBuf,
    secp: Secp256k1<VerifyOnly>,
    checks: Checks,
    cores: usize,
    runs: usize,
}

impl Bench {
    /// The signatures alone, over all cores.
    fn floor(&self) -> Cost {
        self.verify(&[&self.checks.good], self.checks.good.len())
    }

    /// Every multiplication of the curve that Bitcoin's script interpreter makes, over all cores.
    fn curve(&self) -> Cost {
        let Checks { good, vain, commitments } = &self.checks;
        self.verify(&[good, vain, commitments], good.len() + commitments.len())
    }

    fn verify(&self, lists: &[&[Check]], expected: usize) -> Cost {
        let work = |part: usize| {
            let checks = lists.iter().flat_map(|list| list.iter()).skip(part).step_by(self.cores);
            checks.filter(|check| check.holds(&self.secp)).count()
        };
        Cost::of(|| {
            let held: usize = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..self.cores).map(|part| scope.spawn(move || work(part))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).sum()
            });
            assert_eq!(held, expected);
        })
    }

    /// What the script engine adds to the signatures, without any ledger around it.
    fn engine(&self) {
        let rows: [(&str, &dyn Fn() -> Cost); 6] = [
            ("signatures alone", &|| self.floor()),
            ("all work on the curve", &|| self.curve()),
            ("engine, preparing only", &|| self.prepare()),
            ("engine, one thread", &|| {
                Cost::of(|| self.chain.jobs().for_each(|job| check(&Kernel::new(), job).unwrap()))
            }),
            ("engine, pool of threads", &|| self.pool(Kernel::new())),
            ("pool without an engine", &|| self.pool(Nothing)),
        ];
        let mut costs = vec![Vec::new(); rows.len()];
        for _ in 0..self.runs {
            rows.iter().zip(&mut costs).for_each(|((_, run), costs)| costs.push(run()));
        }
        let floor = Cost::median(&costs[0]);
        println!(
            "{:<26} {:>9} {:>9} {:>13} {:>11} {:>10}",
            "scripts", "wall", "CPU", "CPU per input", "wall ratio", "CPU ratio"
        );
        for ((name, _), costs) in rows.iter().zip(&costs) {
            let cost = Cost::median(costs);
            let (wall, cpu) = (ratio(cost.wall, floor.wall), ratio(cost.cpu, floor.cpu));
            println!(
                "{name:<26} {:>9.1?} {:>9.1?} {:>10.2} µs {wall:>11.3} {cpu:>10.3}",
                cost.wall,
                cost.cpu,
                self.per_input(cost)
            );
        }
        println!();
    }

    fn prepare(&self) -> Cost {
        Cost::of(|| self.chain.jobs().for_each(|job| drop(Kernel::new().prepare(job).unwrap())))
    }

    fn pool<E: Engine>(&self, engine: E) -> Cost {
        let blocks: Vec<_> = (0..).zip(&self.chain.blocks).map(|(id, jobs)| Batch::new(id, jobs.clone())).collect();
        Cost::of(|| {
            let count = blocks.len();
            let (pool, verdicts) = Pool::new(engine, pool::Options::default());
            blocks.into_iter().for_each(|batch| pool.submit(batch));
            assert!(verdicts.iter().take(count).all(|verdict| verdict.result.is_ok()));
        })
    }

    /// Whole imports by the `yap` command.
    fn import(&self) {
        let tip = self.chain.tip.to_string();
        let (mut floors, mut full, mut assumed) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.runs {
            floors.push(self.floor());
            for (extra, costs) in [(&[][..], &mut full), (&["--assume-valid", &tip][..], &mut assumed)] {
                match self.yap(extra) {
                    Ok(cost) => costs.push(cost),
                    Err(error) => return println!("yap import could not be measured: {error}"),
                }
            }
        }
        let [floor, full, assumed] = [&floors, &full, &assumed].map(|costs| Cost::median(costs));
        println!(
            "{:<26} {:>9} {:>9} {:>13} {:>11} {:>10} {:>9}",
            "import", "wall", "CPU", "CPU per input", "wall ratio", "CPU ratio", "peak"
        );
        for (name, cost) in [("floor", floor), ("every script verified", full), ("scripts assumed valid", assumed)] {
            let (wall, cpu) = (ratio(cost.wall, floor.wall), ratio(cost.cpu, floor.cpu));
            let peak = if cost.peak == 0 { String::new() } else { format!("{:.1} MB", cost.peak as f64 / 1e6) };
            println!(
                "{name:<26} {:>9.1?} {:>9.1?} {:>10.2} µs {wall:>11.3} {cpu:>10.3} {peak:>9}",
                cost.wall,
                cost.cpu,
                self.per_input(cost)
            );
        }
        println!("scripts assumed valid: {:.1} times faster", ratio(full.wall, assumed.wall));
    }

    /// One import into an empty directory.
    fn yap(&self, extra: &[&str]) -> Result<Cost, String> {
        let folder = tempfile::tempdir().unwrap();
        let mut program = vec![PathBuf::from(env!("CARGO_BIN_EXE_yap")), "--chain".into(), "regtest".into()];
        program.extend(["--data-dir".into(), folder.path().into(), "import".into(), self.file.clone()]);
        program.extend(extra.iter().map(PathBuf::from));
        let cost = measure::child(program)?;
        // Blocks are stored as they came: less than the file cannot be all of them.
        let stored = size(folder.path());
        if stored < self.chain.size {
            return Err(format!("it stored {stored} bytes of a chain of {}", self.chain.size));
        }
        Ok(cost)
    }

    /// Microseconds of CPU per input.
    fn per_input(&self, cost: Cost) -> f64 {
        cost.cpu.as_secs_f64() * 1e6 / self.chain.inputs() as f64
    }
}

fn ratio(of: Duration, to: Duration) -> f64 {
    of.as_secs_f64() / to.as_secs_f64()
}

/// Bytes of all files in a folder.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(
            |entry| {
                if entry.path().is_dir() { size(&entry.path()) } else { entry.metadata().map_or(0, |data| data.len()) }
            },
        )
        .sum()
}
