"""What is known of every caseload column: its name, kind, codes, meaning, and how councils spell all of them."""
