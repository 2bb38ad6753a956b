# Copy this file to pk_superstack.py beside it, fill it in, then: chmod 600 keys/pk_superstack.py
# Made at superstack.xyz/api, with the permissions to view and to trade.
SUPERSTACK_KEY = {
    "api_key": "",
    "account_address": "",  # of the Main Ethereum wallet; empty: asked of Superstack
    "vault_address": "",  # of a sub-account or vault to trade for; empty: the account itself
    "builder": "",  # address of a builder; empty: none
    "builder_fee": "",  # in tenths of a basis point; goes with the builder
}
