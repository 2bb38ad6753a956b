# Copy this file to pk_treadfi_hyperliquid.py beside it, fill it in, then:
# chmod 600 keys/pk_treadfi_hyperliquid.py
# Without any of the optional ones: mpdex login treadfi.hyperliquid asks a browser's wallet.
TREADFI_HYPERLIQUID_KEY = {
    "account_name": "",  # as the linked account is called at app.tread.fi, Key Management
    "account_address": "",  # its address at Hyperliquid, 0x and 40 hexadecimal digits
    "login_private_key": "",  # optional: of the wallet that logs in, 0x and 64 digits
    "login_address": "",  # optional: that wallet's address
    "csrftoken": "",  # optional: both cookies of a browser that is logged in
    "sessionid": "",
    "wallet_private_key": "",  # optional: of the account's own wallet, only to move money
}
