"""Log-in with DingTalk (钉钉登录第三方网站). What it gives is an opaque number per app and nothing else."""
