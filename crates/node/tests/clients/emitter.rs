//! A wallet of BDK that is fed from the node, as wallets are from Bitcoin Core (`bdk_bitcoind_rpc`).

use bdk_bitcoind_rpc::bitcoincore_rpc::{Auth, Client, RpcApi};
use bdk_bitcoind_rpc::{Emitter, NO_EXPECTED_MEMPOOL_TXS};
use bdk_wallet::{KeychainKind, Wallet};
use bitcoin::{Address, Amount, Network};

use crate::support::Place;

/// Descriptors of the extended key in BIP-0032's first vector.
const RECEIVING: &str = "wpkh(tprv8ZgxMBicQKsPeDgjzdC36fs6bMjGApWDNLR9erAXMs5skhMv36j9MV5ecvfavji5khqjWaWSFhN3YcCUUdiKH6isR4Pwy3U5y5egddBr16m/84'/1'/0'/0/*)";
const CHANGE: &str = "wpkh(tprv8ZgxMBicQKsPeDgjzdC36fs6bMjGApWDNLR9erAXMs5skhMv36j9MV5ecvfavji5khqjWaWSFhN3YcCUUdiKH6isR4Pwy3U5y5egddBr16m/84'/1'/0'/1/*)";

const WHOLE: Amount = Amount::from_sat(50_0000_0000);

/// A wallet, the node it is fed from, and how.
struct Shop<'a> {
    wallet: Wallet,
    emitter: Emitter<&'a Client>,
}

impl<'a> Shop<'a> {
    fn new(client: &'a Client) -> Self {
        let genesis = client.get_block_hash(0).unwrap();
        let wallet = Wallet::create(RECEIVING, CHANGE).network(Network::Regtest).genesis_hash(genesis);
        let wallet = wallet.create_wallet_no_persist().unwrap();
        let emitter = Emitter::new(client, wallet.latest_checkpoint(), 0, NO_EXPECTED_MEMPOOL_TXS);
        Self { wallet, emitter }
    }

    fn address(&mut self) -> Address {
        self.wallet.reveal_next_address(KeychainKind::External).address
    }

    /// Takes what is new; tells how many blocks that was, pending transactions, and evicted ones.
    fn sync(&mut self) -> (usize, usize, usize) {
        let mut blocks = 0;
        while let Some(event) = self.emitter.next_block().unwrap() {
            let (height, to) = (event.block_height(), event.connected_to());
            self.wallet.apply_block_connected_to(&event.block, height, to).unwrap();
            blocks += 1;
        }
        let pool = self.emitter.mempool().unwrap();
        let counts = (blocks, pool.update.len(), pool.evicted.len());
        self.wallet.apply_evicted_txs(pool.evicted);
        self.wallet.apply_unconfirmed_txs(pool.update);
        counts
    }
}

#[test]
fn a_bdk_wallet_follows_blocks_payments_and_a_reorganisation() {
    for chain in ["regtest", "local"] {
        let place = Place::with_node_of(chain);
        let cookie = Auth::CookieFile(place.home().join(".cookie"));
        let client = Client::new(&format!("http://{}", place.http()), cookie).unwrap();
        let mut shop = Shop::new(&client);
        let first = shop.address();
        let reward = if chain == "regtest" { WHOLE } else { Amount::ONE_BTC };
        let blocks = client.generate_to_address(101, &first).unwrap();
        // The genesis block is the wallet's own already.
        assert!(matches!(shop.sync(), (101 | 102, 0, 0)), "{chain}");
        assert_eq!(shop.wallet.latest_checkpoint().hash(), blocks[100]);
        let balance = shop.wallet.balance();
        // It counts a coin as ready when the next block may spend it.
        assert_eq!((balance.confirmed, balance.immature), (reward * 2, reward * 99), "{chain}");

        // It pays the node's wallet by a transaction that it builds and signs itself.
        let to = client.get_new_address(None, None).unwrap().require_network(Network::Regtest).unwrap();
        let mut build = shop.wallet.build_tx();
        build.add_recipient(to.script_pubkey(), reward / 2);
        let mut psbt = build.finish().unwrap();
        assert!(shop.wallet.sign(&mut psbt, bdk_wallet::SignOptions::default()).unwrap());
        let fee = psbt.fee().unwrap();
        let paid = client.send_raw_transaction(&psbt.extract_tx().unwrap()).unwrap();
        assert_eq!(shop.sync(), (0, 1, 0));
        assert_eq!(shop.wallet.balance().trusted_pending, reward / 2 - fee);
        assert_eq!(client.get_transaction(&paid, None).unwrap().info.confirmations, 0);

        let elsewhere = client.get_new_address(None, None).unwrap().assume_checked();
        let with = client.generate_to_address(1, &elsewhere).unwrap()[0];
        assert_eq!(shop.sync(), (1, 0, 0));
        let settled = |shop: &Shop<'_>| shop.wallet.get_tx(paid).unwrap().chain_position.is_confirmed();
        assert!(settled(&shop));
        assert_eq!(client.get_transaction(&paid, None).unwrap().info.confirmations, 1);

        // That block is taken back: the payment waits again, and its new block is another.
        client.invalidate_block(&with).unwrap();
        assert!(client.get_raw_mempool().unwrap().contains(&paid));
        let instead = client.generate_to_address(2, &first).unwrap();
        assert_eq!(shop.sync(), (2, 0, 0));
        assert_eq!(shop.wallet.latest_checkpoint().hash(), instead[1]);
        assert!(settled(&shop));
        assert!(client.get_block(&instead[0]).unwrap().txdata.iter().any(|tx| tx.compute_txid() == paid));
    }
}
