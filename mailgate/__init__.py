"""mailgate: a helpdesk that lives in e-mail.

This file imports nothing, so that `store` may import `mailgate.core`.
"""
