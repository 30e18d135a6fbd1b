"""Sending one code to one phone: `send(number, code) -> None`, named by settings.PHONE_CODE_SENDER."""
