"""The local stack: private PostgreSQL and RabbitMQ nodes, databases, tokens, service processes."""

from npms_tools.stack.databases import ServiceDatabase, prepare_databases
from npms_tools.stack.errors import StackError
from npms_tools.stack.local import Stack, StackUrls

__all__ = ["ServiceDatabase", "Stack", "StackError", "StackUrls", "prepare_databases"]
