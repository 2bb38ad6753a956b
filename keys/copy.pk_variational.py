# Copy this file to pk_variational.py beside it, fill it in, then: chmod 600 keys/pk_variational.py
# A page that may change any day: keep little money there.
VARIATIONAL_KEY = {
    "wallet_address": "",  # 0x and 40 digits
    # One of these two, or neither after `mpdex login variational`, which asks a browser's wallet.
    "vr_token": "",  # the cookie of that name, of a browser that is signed in; it ends after a week
    "wallet_private_key": "",  # of the wallet, 0x and 64 digits: signs in again by itself
}
