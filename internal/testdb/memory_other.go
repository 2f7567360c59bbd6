//go:build !linux

package testdb

// memoryDir returns a folder kept in memory: none that this system is known to have.
func memoryDir() string { return "" }
