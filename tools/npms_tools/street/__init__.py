"""A street of simulated meters on real Modbus/TCP sockets, which can be told to misbehave."""
