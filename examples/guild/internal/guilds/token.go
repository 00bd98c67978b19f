// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package guilds

import (
	"context"
	"crypto/rand"
	"crypto/subtle"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Token is what a caller of the service must show. A port of the loopback interface is
// open to every user of the machine, and who calls can take the number of a post that
// others have stored. Between machines that is what TLS with certificates of both
// sides is for.
//
// It is the credentials of a client ([grpc.WithPerRPCCredentials]). The zero value lets
// nobody in.
type Token string

var _ credentials.PerRPCCredentials = Token("")

// NewToken makes one that nobody can guess.
func NewToken() Token { return Token(rand.Text()) }

const tokenKey = "authorization"

func (t Token) header() string { return "Bearer " + string(t) }

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (t Token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{tokenKey: t.header()}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials. What is said over
// the loopback interface is heard by the operators of the machine alone.
func (Token) RequireTransportSecurity() bool { return false }

// ask refuses calls that do not show the token.
func (t Token) ask(ctx context.Context, in any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	shown := metadata.ValueFromIncomingContext(ctx, tokenKey)
	if t == "" || len(shown) != 1 || subtle.ConstantTimeCompare([]byte(shown[0]), []byte(t.header())) != 1 {
		return nil, status.Error(codes.Unauthenticated, "this is for the chat API alone")
	}
	return handle(ctx, in)
}
