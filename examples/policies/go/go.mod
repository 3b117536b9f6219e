module janua/tenant

go 1.25
