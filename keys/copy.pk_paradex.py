# Copy this file to pk_paradex.py beside it, fill it in, then: chmod 600 keys/pk_paradex.py
# A subkey is made at app.paradex.trade, Key Management: it trades and cannot withdraw. The own L2
# key of the account (Account, Export private key) works as well.
PARADEX_KEY = {
    "account_address": "",  # L2 address of the main account (0x...), with a subkey too
    "private_key": "",  # of the subkey or of the account (L2, hexadecimal)
}
