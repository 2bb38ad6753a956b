# Copy this file to pk_hyperliquid.py beside it, fill it in, then: chmod 600 keys/pk_hyperliquid.py
# Made at app.hyperliquid.xyz, More, API: an API wallet (an agent) trades, and cannot withdraw.
# What is not needed stays empty.
HYPERLIQUID_KEY = {
    "private_key": "",  # of the API wallet (or of the account), 0x and 64 hexadecimal digits
    "account_address": "",  # the account's address, not the API wallet's; asked for if left out
    "vault_address": "",  # a vault or sub-account to trade for
    "wallet_private_key": "",  # the account's own key: transfers and approvals only
    "builder": "",  # an approved builder's address, who gets a part of the fee
    "builder_fee": "",  # that part, in tenths of a basis point
}
