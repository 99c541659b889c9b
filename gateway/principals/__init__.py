"""Who may do what: operators, applications, roles, rights, and the audit trail of what they did."""
