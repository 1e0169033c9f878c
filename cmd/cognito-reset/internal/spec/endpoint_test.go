package spec

import "testing"

// Whoever hands over a run directory does not say where credentials go.
func TestAnEndpointOfARunDirectoryIsSaidAgain(t *testing.T) {
	for endpoint, trusted := range map[string]bool{
		"": true, "http://localhost:5000": true, "http://127.0.0.1:5000": true, "http://[::1]:5000/": true,
		"https://cognito-idp.eu-west-1.amazonaws.com": true, "https://vpce-1-2.cognito-idp.eu-west-1.vpce.amazonaws.com": true, "https://cognito-idp.cn-north-1.amazonaws.com.cn": true,
		"http://cognito-idp.eu-west-1.amazonaws.com": false, "https://evil.example": false, "https://amazonaws.com.evil.example": false,
		"https://evil.example/.amazonaws.com": false, "https://cognito.amazonaws.com@evil.example": false, "http://localhost.evil.example": false, "http://127.0.0.1.evil.example": false, "::": false,
	} {
		s := Settings{EndpointURL: endpoint}
		if err := s.Trusted(false); (err == nil) != trusted {
			t.Errorf("%s: %v", endpoint, err)
		}
		if err := s.Trusted(true); err != nil {
			t.Errorf("%s, named again: %v", endpoint, err)
		}
	}
}
