package config

import (
	"os"

	"github.com/caarlos0/env/v11"
)

// Client is what the environment says to those who use an instance from a shell, on whatever machine it is. All of it may
// be empty: `kadr login` stands in for it.
type Client struct {
	URL    string `env:"URL" desc:"Address of the instance."`
	APIKey string `env:"API_KEY" desc:"API key to use there."`
	Dir    string `env:"-"` // of the user's own settings; empty where the system knows of none
}

// LoadClient reads the client's settings from the process's environment.
func LoadClient() (c Client, err error) {
	if err := env.ParseWithOptions(&c, env.Options{Prefix: Prefix}); err != nil {
		return Client{}, err
	}
	if c.Dir, err = os.UserConfigDir(); err != nil {
		c.Dir = ""
	}
	return c, nil
}
