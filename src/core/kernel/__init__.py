"""What every context shares: errors, facts, money, time, phone numbers, actors, state tables and technical ports.

A *fact* is something that happened, in the past tense. An *actor* is who or what made it happen. An *aggregate* is a frozen
value with a `version`; a move returns it as it is afterwards, carrying the facts the move created.
"""
