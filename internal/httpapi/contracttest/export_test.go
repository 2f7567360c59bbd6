package contracttest

// NewOf reads another contract.
var NewOf = newChecker
