module janua/sdk

go 1.25
