"""What topics share: rounds and targets, servers and peers, clients, plots."""
