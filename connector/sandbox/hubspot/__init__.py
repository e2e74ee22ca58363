"""A HubSpot-shaped CRM: keeps contacts, companies, deals, tasks, notes, owners and properties; sends signed webhooks."""
