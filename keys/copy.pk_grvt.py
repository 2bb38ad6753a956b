# Copy this file to pk_grvt.py beside it, fill it in, then: chmod 600 keys/pk_grvt.py
# Made at grvt.io, Settings, API keys, for one trading account.
GRVT_KEY = {
    "api_key": "",
    "private_key": "",  # of the key's signing wallet, 0x and 64 hexadecimal digits
    "sub_account_id": "",  # the trading account's id, digits only
}
