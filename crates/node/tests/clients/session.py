"""What a program does that is made of python-bitcoinlib: it reads bitcoin.conf and the cookie, and asks the node.

usage: session.py BITCOIN_CONF
"""

import sys

import bitcoin
import bitcoin.rpc
from bitcoin.core import CBlock, COIN, COutPoint, CTransaction, CTxIn, CTxInWitness, CTxOut, CTxWitness, b2lx, lx
from bitcoin.core.script import CScript, CScriptWitness
from bitcoin.wallet import CBitcoinAddress

NOWHERE = lx("11" * 32)


def refused(error, call, *arguments):
    """Requires that the library tells that refusal."""
    try:
        call(*arguments)
    except error:
        return
    raise AssertionError(f"{call} {arguments} is not refused with {error}")


def blocks(node, address):
    hashes = list(node.generatetoaddress(101, address))
    assert len(hashes) == 101 and node.getblockcount() == 101
    tip = node.getbestblockhash()
    assert tip == hashes[100] == node.getblockhash(101)
    block, header = node.getblock(tip), node.getblockheader(tip)
    assert block.GetHash() == header.GetHash() == tip
    assert header.hashPrevBlock == node.getblockhash(100)
    told = node.getblockheader(tip, verbose=True)
    assert told["confirmations"] == 1 and told["nextblockhash"] is None, told
    info = node.call("getblockchaininfo")
    assert (info["chain"], info["blocks"], info["bestblockhash"]) == ("regtest", 101, b2lx(tip)), info
    assert node.getmininginfo()["blocks"] == 101
    assert node.call("submitblock", block.serialize().hex()) == "duplicate"
    return CBlock.deserialize(block.serialize())


def money(node, address):
    assert node.getbalance() == 50 * COIN
    assert node.getreceivedbyaddress(address) == 50 * COIN
    (coin,) = node.listunspent(1)
    assert coin["amount"] == 50 * COIN and coin["address"] == address and coin["spendable"], coin
    assert coin["scriptPubKey"] == address.to_scriptPubKey()
    assert node.lockunspent(False, [coin["outpoint"]]) and node.lockunspent(True, [coin["outpoint"]])
    there = node.gettxout(coin["outpoint"])
    assert there["txout"].nValue == 50 * COIN and there["confirmations"] == 101, there
    txid = node.sendtoaddress(node.getnewaddress(), COIN, "rent", "Bob")
    assert node.getrawmempool() == [txid]
    assert b2lx(txid) in node.getrawmempool(verbose=True)
    tx = node.getrawtransaction(txid)
    assert isinstance(tx, CTransaction) and tx.GetTxid() == txid
    assert "confirmations" not in node.getrawtransaction(txid, verbose=True)
    assert node.gettransaction(txid)["confirmations"] == 0
    node.generatetoaddress(1, address)
    assert node.getrawmempool() == [] and node.gettransaction(txid)["confirmations"] == 1
    assert isinstance(node.sendmany("", {node.getnewaddress(): COIN, address: 2 * COIN}), bytes)


def made(template, address, reward):
    """The block that a miner makes of a template, with its work done."""
    place = CTxIn(COutPoint(), CScript([template["height"], b"made outside"]))
    commitment = CScript(bytes.fromhex(template["default_witness_commitment"]))
    outputs = [CTxOut(reward, address.to_scriptPubKey()), CTxOut(0, commitment)]
    nonce = CTxWitness([CTxInWitness(CScriptWitness([bytes(32)]))])
    waiting = [CTransaction.deserialize(bytes.fromhex(one["data"])) for one in template["transactions"]]
    vtx = [CTransaction([place], outputs, nVersion=2, witness=nonce), *waiting]
    root = CBlock(vtx=vtx).calc_merkle_root()
    fixed = (template["version"], lx(template["previousblockhash"]), root, template["curtime"], int(template["bits"], 16))
    for number in range(1_000):
        block = CBlock(*fixed, number, vtx)
        if int(b2lx(block.GetHash()), 16) <= int(template["target"], 16):
            return block
    raise AssertionError("a thousand nonces find no block, where every second does")


def mining(node, address):
    txid = node.sendtoaddress(node.getnewaddress(), COIN)
    template = node.call("getblocktemplate", {"rules": ["segwit"]})
    assert b2lx(txid) in [one["txid"] for one in template["transactions"]], template
    reward = template["coinbasevalue"]
    greedy = made(template, address, reward + 1)
    assert node.call("submitblock", greedy.serialize().hex()) == "bad-cb-amount"
    block = made(template, address, reward)
    assert node.call("submitblock", block.serialize().hex()) is None
    assert node.getbestblockhash() == block.GetHash() and node.getrawmempool() == []
    assert node.gettransaction(txid)["confirmations"] == 1
    assert node.call("submitblock", block.serialize().hex()) == "duplicate"


def transactions(node, address):
    coin = node.listunspent(1)[0]
    inputs = [{"txid": b2lx(coin["outpoint"].hash), "vout": coin["outpoint"].n}]
    value = (coin["amount"] - 10_000) / COIN
    raw = node.call("createrawtransaction", inputs, {str(address): f"{value:.8f}"})
    refused(bitcoin.rpc.JSONRPCError, node.sendrawtransaction, CTransaction.deserialize(bytes.fromhex(raw)))
    signed = node.signrawtransactionwithwallet(CTransaction.deserialize(bytes.fromhex(raw)))
    assert signed["complete"], signed
    txid = node.sendrawtransaction(signed["tx"])
    assert txid == signed["tx"].GetTxid() and txid in node.getrawmempool()
    assert isinstance(node.getrawchangeaddress(), CBitcoinAddress)


def package(node, address):
    """A parent that pays nothing, and its child, which the wallet signs for before anybody has seen the parent."""
    coin = node.listunspent(1)[0]

    def spend(outpoint, amount, known):
        inputs = [{"txid": b2lx(outpoint.hash), "vout": outpoint.n}]
        raw = node.call("createrawtransaction", inputs, {str(address): f"{amount / COIN:.8f}"})
        return node.call("signrawtransactionwithwallet", raw, known)

    parent = spend(coin["outpoint"], coin["amount"], [])
    there = CTransaction.deserialize(bytes.fromhex(parent["hex"]))
    made = COutPoint(there.GetTxid(), 0)
    unknown = spend(made, coin["amount"] - 10_000, [])
    assert not unknown["complete"] and unknown["errors"][0]["error"] == "Input not found or already spent", unknown
    told = {"txid": b2lx(made.hash), "vout": 0, "scriptPubKey": there.vout[0].scriptPubKey.hex()}
    child = spend(made, coin["amount"] - 10_000, [{**told, "amount": f"{coin['amount'] / COIN:.8f}"}])
    assert child["complete"], child
    reply = node.call("submitpackage", [parent["hex"], child["hex"]])
    assert reply["package_msg"] == "success", reply


def rest(node, address):
    assert node.validateaddress(str(address))["isvalid"]
    assert not node.validateaddress("nobody")["isvalid"]
    assert node.call("getpeerinfo") == []
    info = node.call("getnetworkinfo")
    assert info["version"] >= 310000 and info["connections"] == 0, info
    fee = node.call("estimatesmartfee", 6)
    assert "feerate" in fee or fee["errors"], fee
    node.addnode("127.0.0.1:1")
    node.removenode("127.0.0.1:1")
    batch = node._batch([{"id": 1, "method": "getblockcount", "params": []}, {"id": 2, "method": "nothing", "params": []}])
    assert batch[0]["result"] == node.getblockcount() and batch[1]["error"]["code"] == -32601, batch


def refusals(node):
    refused(IndexError, node.getblock, NOWHERE)
    refused(IndexError, node.getblockheader, NOWHERE)
    refused(IndexError, node.getblockhash, 1_000_000)
    refused(IndexError, node.getrawtransaction, NOWHERE)
    refused(IndexError, node.gettransaction, NOWHERE)
    refused(bitcoin.rpc.InvalidAddressOrKeyError, node.call, "generatetoaddress", 1, "nobody")
    refused(bitcoin.rpc.InvalidParameterError, node.call, "getblockhash", -1)
    refused(IndexError, node.gettxout, COutPoint(NOWHERE, 0))
    # The last block has a payment: whoever sends it again is told where it is.
    payment = node.getblock(node.getbestblockhash()).vtx[1]
    refused(bitcoin.rpc.VerifyAlreadyInChainError, node.sendrawtransaction, payment)


def main(conf):
    bitcoin.SelectParams("regtest")
    node = bitcoin.rpc.Proxy(btc_conf_file=conf)
    address = node.getnewaddress()
    blocks(node, address)
    money(node, address)
    mining(node, address)
    transactions(node, address)
    package(node, address)
    rest(node, address)
    refusals(node)
    print("every step is done")


main(sys.argv[1])
