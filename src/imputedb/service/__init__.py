"""A service over one database: requests of many people, admitted, answered, limited and accounted for."""
