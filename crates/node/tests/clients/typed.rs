//! Every method that the client of Bitcoin Core 31 has a type for: called, and its reply read.
//!
//! One run notes each call that fails and goes on, so that it shows all of them. At its end it compares what was called with
//! the methods that the node has.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use bitcoin::consensus::encode::deserialize_hex;
use bitcoin::{Address, Amount, Network, OutPoint, Psbt, SignedAmount, Transaction, TxIn, TxOut, Txid, sign_message};
use corepc_client::client_sync::Error;
use corepc_client::client_sync::v31::{
    AddNodeCommand, AddressType, Client, FeeEstimateMode, Input, Output, SetBanCommand, TemplateRequest, TemplateRules,
    WalletCreateFundedPsbtInput,
};
use corepc_client::types::v31;
use serde_json::{Value, json};

use crate::support::{PATIENCE, Place};
use crate::{client, plain};

/// Methods of ours, and of Core's, that the client has no types for.
const BEYOND: [&str; 16] = [
    "get",
    "getminer",
    "getoperations",
    "getstatus",
    "getunconfirmedbalance",
    "getwalletwords",
    "provide",
    "providers",
    "publish",
    "put",
    "setlabel",
    "setmining",
    "stopproviding",
    "subscribe",
    "unsubscribe",
    "withdraw",
];

/// A key of nobody's.
const KEY: &str = "cMahea7zqjxrtgAbB7LSGbcQUr1uX1ojuat9jZodMN87JcbXMTcA";

/// What was called, and what failed.
struct Tour {
    client: Client,
    called: BTreeSet<&'static str>,
    failed: Vec<String>,
}

impl Tour {
    fn new(place: &Place) -> Self {
        Self { client: client(place), called: BTreeSet::new(), failed: Vec::new() }
    }

    /// Calls a method; its reply must be read by the client.
    fn call<T: Debug, E: Debug>(
        &mut self,
        method: &'static str,
        call: impl FnOnce(&Client) -> Result<T, E>,
    ) -> Option<T> {
        self.called.insert(method);
        call(&self.client).map_err(|error| self.failed.push(format!("{method}: {error:?}"))).ok()
    }

    /// The same of a reply that the tour cannot go on without.
    #[track_caller]
    fn need<T: Debug, E: Debug>(&mut self, method: &'static str, call: impl FnOnce(&Client) -> Result<T, E>) -> T {
        self.call(method, call).unwrap_or_else(|| panic!("{:#?}", self.failed))
    }

    /// Calls a method that must refuse with a number.
    fn refused<T: Debug>(&mut self, method: &'static str, code: i32, call: impl FnOnce(&Client) -> Result<T, Error>) {
        self.called.insert(method);
        match call(&self.client) {
            Err(Error::JsonRpc(jsonrpc::error::Error::Rpc(error))) if error.code == code => {}
            other => self.failed.push(format!("{method}: {other:?} is not refusal {code}")),
        }
    }

    /// What the wallet signs: a payment from the node's own coins.
    fn pay(&mut self, to: &Address) -> Txid {
        self.need("sendtoaddress", |client| {
            client.send_to_address(to, Amount::from_sat(1_000_000))?.txid().map_err(wrong)
        })
    }

    fn transaction(&mut self, txid: Txid) -> Transaction {
        let hex = self.need("getrawtransaction", |client| client.get_raw_transaction(txid)).0;
        deserialize_hex(&hex).unwrap()
    }
}

fn wrong<E: Debug>(error: E) -> Error {
    Error::Returned(format!("{error:?}"))
}

#[test]
fn every_typed_method_of_the_client_reads_what_the_node_replies() {
    for chain in ["regtest", "local"] {
        let mut place = Place::with_node_of(chain);
        let mut tour = Tour::new(&place);
        let address = addresses(&mut tour);
        tour.need("generatetoaddress", |client| client.generate_to_address(120, &address)?.into_model().map_err(wrong));
        blocks(&mut tour);
        coins(&mut tour);
        network(&mut tour);
        payments(&mut tour, &address);
        pending(&mut tour, &address);
        transactions(&mut tour, &address);
        psbts(&mut tour, &address);
        mining(&mut tour, &address);
        utilities(&mut tour);
        wallet(&mut tour, &place, &address);
        tour.call("stop", Client::stop);
        place.ended();
        let served: BTreeSet<&str> = yap_api::methods::all().iter().map(|(name, _)| name).collect();
        let left: Vec<_> =
            served.iter().filter(|name| !tour.called.contains(*name) && !BEYOND.contains(name)).collect();
        assert!(tour.failed.is_empty(), "on {chain}: {:#?}", tour.failed);
        assert!(left.is_empty(), "nobody called {left:?}");
    }
}

fn addresses(tour: &mut Tour) -> Address {
    for kind in [AddressType::Bech32, AddressType::Bech32m, AddressType::Legacy] {
        tour.call("getnewaddress", |client| client.new_address_with_type(kind));
    }
    tour.call("getnewaddress", |client| client.get_new_address(None, None)?.into_model().map_err(wrong));
    tour.call("getrawchangeaddress", |client| client.get_raw_change_address()?.into_model().map_err(wrong));
    tour.call("getnewaddress", |client| client.new_address_with_label("shop"));
    tour.call("getaddressesbylabel", |client| client.get_addresses_by_label("shop")?.into_model().map_err(wrong));
    let address = tour.need("getnewaddress", Client::new_address);
    tour.call("getaddressinfo", |client| client.get_address_info(&address)?.into_model().map_err(wrong));
    tour.call("validateaddress", |client| client.validate_address(&address)?.into_model().map_err(wrong));
    tour.call("listlabels", Client::list_labels);
    address
}

fn blocks(tour: &mut Tour) {
    let best = tour.need("getbestblockhash", Client::best_block_hash);
    tour.call("getbestblockhash", |client| client.get_best_block_hash()?.into_model().map_err(wrong));
    tour.call("getblockcount", Client::get_block_count);
    tour.call("getblockhash", |client| client.get_block_hash(1)?.into_model().map_err(wrong));
    // A chain of our own has a name that is none of Bitcoin's: then the reply is read, and no further.
    tour.call("getblockchaininfo", |client| {
        let info = client.get_blockchain_info()?;
        if info.chain == "regtest" { info.into_model().map(drop).map_err(wrong) } else { Ok(()) }
    });
    tour.call("getdifficulty", Client::get_difficulty);
    tour.call("getchaintips", |client| client.get_chain_tips()?.into_model().map_err(wrong));
    tour.call("getchaintxstats", |client| client.get_chain_tx_stats()?.into_model().map_err(wrong));
    tour.call("getdeploymentinfo", |client| client.get_deployment_info_tip()?.into_model().map_err(wrong));
    tour.call("getdeploymentinfo", |client| client.get_deployment_info(&best)?.into_model().map_err(wrong));
    tour.call("getblock", |client| client.get_block(best));
    tour.call("getblock", |client| client.get_block_verbose_zero(best)?.into_model().map_err(wrong));
    tour.call("getblock", |client| client.get_block_verbose_one(best)?.into_model().map_err(wrong));
    let whole = |client: &Client, verbosity| client.call::<Value>("getblock", &[json!(best), json!(verbosity)]);
    tour.call("getblock", |client| {
        plain::read::<v31::GetBlockVerboseTwo>(whole(client, 2)?).map_err(wrong)?.into_model().map_err(wrong)
    });
    tour.call("getblock", |client| {
        plain::read::<v31::GetBlockVerboseThree>(whole(client, 3)?).map_err(wrong)?.into_model().map_err(wrong)
    });
    tour.call("getblockheader", |client| client.get_block_header(&best)?.into_model().map_err(wrong));
    tour.call("getblockheader", |client| client.get_block_header_verbose(&best)?.into_model().map_err(wrong));
    // The filter of the newest block is there once that block is on disk.
    let old = tour.need("getblockhash", |client| client.get_block_hash(1)?.into_model().map_err(wrong)).0;
    let begun = std::time::Instant::now();
    tour.call("getblockfilter", |client| {
        loop {
            match client.get_block_filter(old) {
                Err(_) if begun.elapsed() < PATIENCE => std::thread::yield_now(),
                told => break told?.into_model().map_err(wrong),
            }
        }
    });
    tour.call("getblockstats", |client| client.get_block_stats_by_height(1, None)?.into_model().map_err(wrong));
    tour.call("getblockstats", |client| client.get_block_stats_by_block_hash(&best, None)?.into_model().map_err(wrong));
    tour.call("verifychain", Client::verify_chain);
    tour.call("waitforblock", |client| client.wait_for_block(&best)?.into_model().map_err(wrong));
    tour.call("waitforblockheight", |client| client.wait_for_block_height(102)?.into_model().map_err(wrong));
    tour.call("waitfornewblock", |client| {
        std::thread::scope(|scope| {
            let wait = scope.spawn(|| client.wait_for_new_block());
            // It may not wait yet: so blocks are made until it has seen one.
            while !wait.is_finished() {
                client.generate_to_descriptor(1, "raw(51)")?;
            }
            wait.join().unwrap()?.into_model().map_err(wrong)
        })
    });
    let tip = tour.need("getbestblockhash", Client::best_block_hash);
    tour.call("invalidateblock", |client| client.invalidate_block(tip));
    tour.call("reconsiderblock", |client| client.reconsider_block(tip));
    tour.call("preciousblock", |client| client.precious_block(tip));
    tour.refused("pruneblockchain", -1, |client| client.prune_blockchain(1));
    tour.call("getindexinfo", Client::get_index_info);
    tour.call("getchainstates", |client| client.get_chain_states()?.into_model().map_err(wrong));
}

fn coins(tour: &mut Tour) {
    tour.call("gettxoutsetinfo", |client| client.get_tx_out_set_info()?.into_model().map_err(wrong));
    tour.call("scantxoutset", |client| client.scan_tx_out_set_start(&["raw(51)"])?.into_model().map_err(wrong));
    tour.call("scantxoutset", Client::scan_tx_out_set_status);
    tour.call("scantxoutset", Client::scan_tx_out_set_abort);
    let coin = tour.need("listunspent", |client| client.list_unspent()?.into_model().map_err(wrong)).0[0].clone();
    tour.call("gettxout", |client| client.get_tx_out(coin.txid, u64::from(coin.vout))?.into_model().map_err(wrong));
    let proof = tour.need("gettxoutproof", |client| client.get_tx_out_proof(&[coin.txid]));
    tour.call("verifytxoutproof", |client| {
        let proven = client.verify_tx_out_proof(&proof)?.into_model().map_err(wrong)?.0;
        if proven == [coin.txid] { Ok(()) } else { Err(wrong(proven)) }
    });
    let coin = [(coin.txid, coin.vout)];
    tour.call("lockunspent", |client| client.lock_unspent(&coin));
    tour.call("listlockunspent", |client| client.list_lock_unspent()?.into_model().map_err(wrong));
    tour.call("lockunspent", |client| client.unlock_unspent(&coin));
}

fn network(tour: &mut Tour) {
    tour.call("getnetworkinfo", Client::check_expected_server_version);
    tour.call("getnetworkinfo", |client| client.get_network_info()?.into_model().map_err(wrong));
    tour.call("getnettotals", Client::get_net_totals);
    tour.call("getconnectioncount", Client::get_connection_count);
    tour.call("getnodeaddresses", Client::get_node_addresses);
    tour.call("addnode", |client| client.add_node("127.0.0.1:1", AddNodeCommand::Add));
    tour.call("getaddednodeinfo", Client::get_added_node_info);
    tour.call("addnode", |client| client.add_node("127.0.0.1:1", AddNodeCommand::Remove));
    tour.call("setban", |client| client.set_ban("192.0.2.7", SetBanCommand::Add));
    tour.call("listbanned", Client::list_banned);
    tour.call("clearbanned", Client::clear_banned);
    tour.call("ping", Client::ping);
    tour.call("getpeerinfo", Client::get_peer_info);
    tour.refused("disconnectnode", -29, |client| client.disconnect_node("192.0.2.1:1"));
    tour.call("help", Client::help);
    tour.call("uptime", Client::uptime);
    tour.call("getrpcinfo", Client::get_rpc_info);
}

fn payments(tour: &mut Tour, address: &Address) {
    let txid = tour.pay(address);
    tour.call("psbtbumpfee", |client| client.psbt_bump_fee(&txid)?.into_model().map_err(wrong));
    tour.call("bumpfee", |client| client.bump_fee(txid)?.into_model().map_err(wrong));
    tour.call("sendtoaddress", |client| client.send_to_address_rbf(address, Amount::from_sat(50_000)));
    let one = || BTreeMap::from([(address.clone(), Amount::from_sat(70_000))]);
    tour.call("sendmany", |client| client.send_many(one())?.into_model().map_err(wrong));
    tour.call("sendmany", |client| client.send_many_verbose(one())?.into_model().map_err(wrong));
    let float = BTreeMap::from([(address.to_string(), 0.001)]);
    tour.call("send", |client| client.send(&float)?.into_model().map_err(wrong));
    tour.call("gettransaction", |client| client.get_transaction(txid)?.into_model().map_err(wrong));
    tour.call("listtransactions", |client| client.list_transactions()?.into_model().map_err(wrong));
    tour.call("listsinceblock", |client| client.list_since_block()?.into_model().map_err(wrong));
    tour.call("getbalance", |client| client.get_balance()?.into_model().map_err(wrong));
    tour.call("getbalances", |client| client.get_balances()?.into_model().map_err(wrong));
    tour.call("getreceivedbyaddress", |client| client.get_received_by_address(address)?.into_model().map_err(wrong));
    tour.call("listreceivedbyaddress", |client| client.list_received_by_address()?.into_model().map_err(wrong));
    // The other one has taken its place.
    tour.call("abandontransaction", |client| client.abandon_transaction(txid));
}

fn pending(tour: &mut Tour, address: &Address) {
    let txid = tour.pay(address);
    tour.call("getmempoolinfo", |client| client.get_mempool_info()?.into_model().map_err(wrong));
    tour.call("getrawmempool", |client| client.get_raw_mempool()?.into_model().map_err(wrong));
    tour.call("getrawmempool", |client| client.get_raw_mempool_verbose()?.into_model().map_err(wrong));
    tour.call("getrawmempool", |client| client.get_raw_mempool_sequence()?.into_model().map_err(wrong));
    tour.call("getmempoolentry", |client| client.get_mempool_entry(txid)?.into_model().map_err(wrong));
    tour.call("getmempoolancestors", |client| client.get_mempool_ancestors(txid)?.into_model().map_err(wrong));
    tour.call("getmempoolancestors", |client| client.get_mempool_ancestors_verbose(txid)?.into_model().map_err(wrong));
    tour.call("getmempooldescendants", |client| client.get_mempool_descendants(txid)?.into_model().map_err(wrong));
    tour.call("getmempooldescendants", |client| {
        client.get_mempool_descendants_verbose(txid)?.into_model().map_err(wrong)
    });
    tour.call("getmempoolcluster", |client| client.get_mempool_cluster(txid)?.into_model().map_err(wrong));
    let spent = tour.transaction(txid).input[0].previous_output;
    let prevouts = [spent, OutPoint::new(txid, 7)];
    tour.call("gettxspendingprevout", |client| client.get_tx_spending_prevout(&prevouts)?.into_model().map_err(wrong));
    tour.call("prioritisetransaction", |client| client.prioritise_transaction(&txid, SignedAmount::from_sat(1_000)));
    tour.call("getprioritisedtransactions", Client::get_prioritised_transactions);
    tour.call("savemempool", Client::save_mempool);
}

fn transactions(tour: &mut Tour, address: &Address) {
    let coin = tour.need("listunspent", |client| client.list_unspent()?.into_model().map_err(wrong)).0[0].clone();
    let input = || [Input { txid: coin.txid, vout: u64::from(coin.vout), sequence: None }];
    let value = coin.amount - Amount::from_sat(5_000);
    let output = || [Output::new(address.clone(), value)];
    let raw = tour.need("createrawtransaction", |client| {
        client.create_raw_transaction(&input(), &output())?.into_model().map_err(wrong)
    });
    let raw = raw.0;
    tour.call("decoderawtransaction", |client| client.decode_raw_transaction(&raw)?.into_model().map_err(wrong));
    tour.call("converttopsbt", |client| client.convert_to_psbt(&raw)?.into_model().map_err(wrong));
    let signed = tour.need("signrawtransactionwithwallet", |client| {
        client.sign_raw_transaction_with_wallet(&raw)?.into_model().map_err(wrong)
    });
    assert!(signed.complete, "{signed:?}");
    let signed = signed.tx;
    tour.call("testmempoolaccept", |client| {
        client.test_mempool_accept(std::slice::from_ref(&signed))?.into_model().map_err(wrong)
    });
    tour.call("testmempoolaccept", |client| {
        client.test_mempool_accept(std::slice::from_ref(&raw))?.into_model().map_err(wrong)
    });
    tour.call("sendrawtransaction", |client| client.send_raw_transaction(&signed)?.into_model().map_err(wrong));
    let txid = signed.compute_txid();
    tour.call("getrawtransaction", |client| client.get_raw_transaction_verbose(txid)?.into_model().map_err(wrong));
    let script = address.script_pubkey().to_hex_string();
    tour.call("decodescript", |client| client.decode_script(&script)?.into_model().map_err(wrong));
    package(tour, address);
    funded(tour, address);
}

/// A parent that pays nothing, and its child.
fn package(tour: &mut Tour, address: &Address) {
    let coin = tour.need("listunspent", |client| client.list_unspent()?.into_model().map_err(wrong)).0[0].clone();
    // The client can't tell the wallet of a parent that nobody has seen. So anybody can spend that.
    let anyone = bitcoin::ScriptBuf::from_bytes(vec![0x51]);
    let begun = Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: vec![TxIn { previous_output: OutPoint::new(coin.txid, coin.vout), ..TxIn::default() }],
        output: vec![TxOut { value: coin.amount, script_pubkey: anyone.to_p2wsh() }],
    };
    let signed = tour.need("signrawtransactionwithwallet", |client| {
        client.sign_raw_transaction_with_wallet(&begun)?.into_model().map_err(wrong)
    });
    let parent = signed.tx;
    let previous_output = OutPoint::new(parent.compute_txid(), 0);
    let witness = bitcoin::Witness::from_slice(&[anyone.as_bytes()]);
    let child = Transaction {
        input: vec![TxIn { previous_output, witness, ..TxIn::default() }],
        output: vec![TxOut { value: coin.amount - Amount::from_sat(9_000), script_pubkey: address.script_pubkey() }],
        ..parent.clone()
    };
    tour.refused("sendrawtransaction", -26, |client| client.send_raw_transaction(&parent));
    tour.call("submitpackage", |client| {
        let reply = client.submit_package(&[parent.clone(), child.clone()], None, None)?.into_model().map_err(wrong)?;
        if reply.package_msg == "success" && reply.tx_results.len() == 2 { Ok(()) } else { Err(wrong(reply)) }
    });
    // They are ours, and no peer is there.
    tour.call("getmempoolentry", |client| {
        let entry = client.get_mempool_entry(child.compute_txid())?;
        let info = client.get_mempool_info()?;
        if info.unbroadcast_count >= 2 && entry.0.unbroadcast { Ok(()) } else { Err(wrong((entry, info))) }
    });
}

/// A payment that somebody else began, with nothing to pay from, and with a coin that is too little.
fn funded(tour: &mut Tour, address: &Address) {
    let coins = tour.need("listunspent", |client| client.list_unspent()?.into_model().map_err(wrong)).0;
    let coin = coins.iter().min_by_key(|coin| coin.amount).unwrap();
    let sequence = bitcoin::Sequence(7);
    let input = TxIn { previous_output: OutPoint::new(coin.txid, coin.vout), sequence, ..TxIn::default() };
    for inputs in [vec![], vec![input]] {
        let output =
            vec![TxOut { value: coin.amount + Amount::from_sat(70_000), script_pubkey: address.script_pubkey() }];
        let lock_time = bitcoin::absolute::LockTime::from_consensus(5);
        let begun = Transaction { version: bitcoin::transaction::Version::ONE, lock_time, input: inputs, output };
        let funded =
            tour.need("fundrawtransaction", |client| client.fund_raw_transaction(&begun)?.into_model().map_err(wrong));
        assert_eq!((funded.tx.version, funded.tx.lock_time), (begun.version, begun.lock_time));
        assert_eq!(&funded.tx.input[..begun.input.len()], &begun.input[..], "what was there stays");
        assert!(funded.tx.input.len() > begun.input.len() && funded.tx.output.contains(&begun.output[0]));
        let signed = tour.need("signrawtransactionwithwallet", |client| {
            client.sign_raw_transaction_with_wallet(&funded.tx)?.into_model().map_err(wrong)
        });
        assert!(signed.complete, "{signed:?}");
        let tried =
            tour.need("testmempoolaccept", |client| client.test_mempool_accept(std::slice::from_ref(&signed.tx)));
        assert!(tried.0[0].allowed, "{tried:?}");
    }
}

fn psbts(tour: &mut Tour, address: &Address) {
    let coin = tour.need("listunspent", |client| client.list_unspent()?.into_model().map_err(wrong)).0[0].clone();
    let input = || [Input { txid: coin.txid, vout: u64::from(coin.vout), sequence: None }];
    let value = coin.amount - Amount::from_sat(5_000);
    let output = || [Output::new(address.clone(), value)];
    let empty: Psbt =
        tour.need("createpsbt", |client| client.create_psbt(&input(), &output())?.into_model().map_err(wrong)).0;
    let updated = tour.need("utxoupdatepsbt", |client| client.utxo_update_psbt(&empty)?.into_model().map_err(wrong)).0;
    tour.call("analyzepsbt", |client| client.analyze_psbt(&updated)?.into_model().map_err(wrong));
    let done =
        tour.need("walletprocesspsbt", |client| client.wallet_process_psbt(&updated)?.into_model().map_err(wrong));
    let done = done.psbt;
    tour.call("decodepsbt", |client| client.decode_psbt(&done.to_string())?.into_model().map_err(wrong));
    let both = [updated, done.clone()];
    tour.call("combinepsbt", |client| client.combine_psbt(&both)?.into_model().map_err(wrong));
    tour.call("finalizepsbt", |client| client.finalize_psbt(&done)?.into_model().map_err(wrong));
    tour.call("walletcreatefundedpsbt", |client| {
        let from = vec![WalletCreateFundedPsbtInput::new(coin.txid, coin.vout)];
        let to = vec![BTreeMap::from([(address.clone(), Amount::from_sat(60_000))])];
        client.wallet_create_funded_psbt(from, to)?.into_model().map_err(wrong)
    });
}

fn mining(tour: &mut Tour, address: &Address) {
    tour.call("getmininginfo", |client| client.get_mining_info()?.into_model().map_err(wrong));
    tour.call("getnetworkhashps", Client::get_network_hash_ps);
    let request = TemplateRequest {
        mode: None,
        capabilities: Vec::new(),
        rules: vec![TemplateRules::Segwit],
        longpollid: None,
        data: None,
    };
    tour.call("getblocktemplate", |client| client.get_block_template(&request)?.into_model().map_err(wrong));
    tour.call("generatetodescriptor", |client| {
        client.generate_to_descriptor(1, "raw(51)")?.into_model().map_err(wrong)
    });
    let made = tour.need("generateblock", |client| {
        client.generate_block(&address.to_string(), &[], false)?.into_model().map_err(wrong)
    });
    let block = made.hex.unwrap();
    let bitcoin::Block { header, .. } = block;
    tour.call("submitheader", |client| client.submit_header(&header));
    tour.call("submitblock", |client| client.submit_block(&block));
    assert_eq!(tour.client.best_block_hash().unwrap(), block.block_hash());
}

fn utilities(tour: &mut Tour) {
    tour.call("estimatesmartfee", |client| client.estimate_smart_fee(6)?.into_model().map_err(wrong));
    tour.call("estimatesmartfee", |client| client.estimate_smart_fee_with_mode(6, FeeEstimateMode::Economical));
    let key: bitcoin::PrivateKey = KEY.parse().unwrap();
    let public = key.public_key(&bitcoin::key::Secp256k1::new());
    tour.call("createmultisig", |client| client.create_multisig(1, vec![public, public])?.into_model().map_err(wrong));
    let descriptor = format!("wpkh({public})");
    let info = tour.need("getdescriptorinfo", |client| client.get_descriptor_info(&descriptor));
    tour.call("deriveaddresses", |client| client.derive_addresses(&info.descriptor)?.into_model().map_err(wrong));
    let signed = tour.need("signmessagewithprivkey", |client| {
        client.sign_message_with_privkey(&key, "hello")?.into_model().map_err(wrong)
    });
    let legacy = Address::p2pkh(public, Network::Regtest);
    let signature: sign_message::MessageSignature = signed.0;
    let good = tour.call("verifymessage", |client| client.verify_message(&legacy, &signature, "hello"));
    assert!(good.is_none_or(|good| good.0), "{signature}");
}

fn wallet(tour: &mut Tour, place: &Place, address: &Address) {
    tour.call("getwalletinfo", |client| client.get_wallet_info()?.into_model().map_err(wrong));
    tour.call("listwallets", Client::list_wallets);
    tour.call("listdescriptors", Client::list_descriptors);
    tour.call("rescanblockchain", |client| client.rescan_blockchain());
    tour.call("abortrescan", Client::abort_rescan);
    let backup = place.path().join("backup");
    tour.call("backupwallet", |client| client.backup_wallet(&backup));
    assert!(backup.is_file());
    // Core signs for addresses of keys alone, too.
    tour.refused("signmessage", -3, |client| client.sign_message(address, "hello"));
    tour.refused("createwallet", -4, |client| client.create_wallet("yap"));
    tour.refused("loadwallet", -18, |client| client.load_wallet("yap"));
    tour.refused("unloadwallet", -18, |client| client.unload_wallet("yap"));
    tour.call("unloadwallet", |client| client.unload_wallet(""));
    tour.refused("getwalletinfo", -18, Client::get_wallet_info);
    tour.call("listwalletdir", Client::list_wallet_dir);
    tour.refused("createwallet", -36, |client| client.create_wallet(""));
    tour.call("loadwallet", |client| client.load_wallet(""));
    tour.refused("loadwallet", -35, |client| client.load_wallet(""));
    tour.refused("walletlock", -15, Client::wallet_lock);
    tour.call("encryptwallet", |client| client.encrypt_wallet("first"));
    tour.call("walletpassphrase", |client| client.wallet_passphrase("first", 60));
    tour.call("walletpassphrasechange", |client| client.wallet_passphrase_change("first", "second"));
    tour.call("walletlock", Client::wallet_lock);
    tour.call("getwalletinfo", |client| client.get_wallet_info()?.into_model().map_err(wrong));
}
