# Copy this file to pk_treadfi_pacifica.py beside it, fill it in, then:
# chmod 600 keys/pk_treadfi_pacifica.py
# Without any of the optional ones: mpdex login treadfi.pacifica asks a browser's wallet.
TREADFI_PACIFICA_KEY = {
    "account_name": "",  # as the linked account is called at app.tread.fi, Key Management
    "account": "",  # its public key at Pacifica, base58
    "token": "",  # optional, best: of TreadFi's API, issued on request
    "login_private_key": "",  # optional: of the wallet that logs in, 0x and 64 digits
    "login_address": "",  # optional: that wallet's address
    "csrftoken": "",  # optional: both cookies of a browser that is logged in
    "sessionid": "",
}
