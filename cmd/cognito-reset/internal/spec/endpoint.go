package spec

import (
	"net"
	"net/url"
	"strings"

	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// OnThisMachine reports whether an endpoint is this machine's.
func OnThisMachine(endpoint string) bool {
	host := hostOf(endpoint)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// ofAWS are the ends of the names of AWS's own hosts.
var ofAWS = []string{".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".api.amazonwebservices.com.cn", ".amazonaws.eu"}

// Trusted is an error if calls would go to an endpoint that is neither AWS's nor this
// machine's, and that nobody has named but a run directory, which others may have
// written. repeated says that the command line names it, too.
func (s Settings) Trusted(repeated bool) error {
	if s.EndpointURL == "" || repeated || OnThisMachine(s.EndpointURL) {
		return nil
	}
	host := hostOf(s.EndpointURL)
	for _, end := range ofAWS {
		if strings.HasPrefix(s.EndpointURL, "https://") && strings.HasSuffix(host, end) {
			return nil
		}
	}
	return exit.Refusef("the run directory asks for calls, with your credentials, to %s, which is not AWS's: if that is meant, add --endpoint-url %s", s.EndpointURL, s.EndpointURL)
}

// Way says with whose credentials calls are made and where to, as far as the settings
// name it; "" if they name nothing. A run directory may be from somebody else.
func (s Settings) Way() string {
	var parts []string
	for _, part := range []struct{ what, value string }{{"profile", s.Profile}, {"role", s.RoleARN}, {"endpoint", s.EndpointURL}} {
		if part.value != "" {
			parts = append(parts, part.what+" "+part.value)
		}
	}
	return strings.Join(parts, ", ")
}

func hostOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
