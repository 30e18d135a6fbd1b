"""Log-in with WeChat (微信网页授权, 微信开放平台网站应用). What it gives is an opaque number per app and nothing else.

Inside WeChat the village's own account (公众号) is asked, silently (snsapi_base); on a computer the website app shows
its QR code (snsapi_login). Nickname and picture are never fetched. docs/login.md says what to set.
"""
