"""What a read of registers costs, beside other Modbus clients, and what late answers do to each."""
