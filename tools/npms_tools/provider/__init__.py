"""A provider of online payments to try against: real HTTP, signed webhooks, its own truth."""
