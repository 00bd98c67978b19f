// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlpreceive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // Exporters may compress with it.
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/waybill-go/waybill/internal/otlpreceive/decode"
)

// Limits of connections.
const (
	maxStreams   = 16       // requests of one connection at a time
	maxHeaders   = 16 << 10 // bytes of a request's headers
	window       = 64 << 10 // bytes that a connection may send before they are read
	bufferSize   = 4 << 10  // bytes of a connection's buffers
	handshake    = 5 * time.Second
	idle         = 10 * time.Minute
	minPing      = 5 * time.Second
	pingInterval = 2 * time.Minute
)

// GRPC returns a server of OTLP's services. The caller serves and stops it. Options come on top
// of the receiver's own: an interceptor of streams, for instance, sees every request before it
// is read.
func (r *Receiver) GRPC(options ...grpc.ServerOption) *grpc.Server {
	server := grpc.NewServer(append([]grpc.ServerOption{
		grpc.ForceServerCodecV2(rawCodec{}),
		grpc.MaxRecvMsgSize(MaxRequest),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.InitialWindowSize(window),
		grpc.InitialConnWindowSize(window),
		grpc.ReadBufferSize(bufferSize),
		grpc.WriteBufferSize(bufferSize),
		grpc.ConnectionTimeout(handshake),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idle, Time: pingInterval, Timeout: handshake}),
	}, options...)...)
	services := map[string]grpc.StreamHandler{"opentelemetry.proto.collector.trace.v1.TraceService": r.exportTraces}
	for _, signal := range r.signals() {
		services[signal.service] = r.throwAway(signal)
	}
	for name, serve := range services {
		// A stream that takes one message and answers with one is a plain call on the wire. It
		// lets us decide when the message is read.
		server.RegisterService(&grpc.ServiceDesc{
			ServiceName: name,
			Streams: []grpc.StreamDesc{
				{StreamName: "Export", Handler: serve, ClientStreams: true, ServerStreams: true},
			},
		}, nil)
	}
	return server
}

// exportTraces answers a call of the trace service.
func (r *Receiver) exportTraces(_ any, stream grpc.ServerStream) error {
	done, err := r.admit(stream.Context())
	if err != nil {
		return r.refuseCall(err)
	}
	defer done()
	body, err := r.read(stream)
	if err != nil {
		return r.refuseCall(err)
	}
	answer, err := r.export(body, decode.Proto)
	if err != nil {
		return r.refuseCall(err)
	}
	encoded, err := answer.MarshalProto()
	if err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	return stream.SendMsg(encoded)
}

// throwAway returns a handler that reads a message and forgets it.
func (r *Receiver) throwAway(signal signal) grpc.StreamHandler {
	return func(_ any, stream grpc.ServerStream) error {
		done, err := r.admit(stream.Context())
		if err != nil {
			return r.refuseCall(err)
		}
		defer done()
		if _, err := r.read(stream); err != nil {
			return r.refuseCall(err)
		}
		r.count(signal)
		return stream.SendMsg([]byte{}) // The default values: everything was accepted.
	}
}

// read returns the message of a call. If it does not arrive in time, read returns an error.
// When the call has ended, which is its caller's next step, the goroutine ends too.
func (r *Receiver) read(stream grpc.ServerStream) ([]byte, error) {
	type message struct {
		body []byte
		err  error
	}
	arrived := make(chan message, 1)
	go func() {
		var m message
		m.err = stream.RecvMsg(&m.body)
		arrived <- m
	}()
	timer := time.NewTimer(r.maxArrival)
	defer timer.Stop()
	select {
	case m := <-arrived:
		return m.body, m.err
	case <-timer.C:
		return nil, errTimeout
	}
}

// refuseCall counts a request that is refused, and returns the status that says why. Exporters
// send a request again if it is Unavailable.
func (r *Receiver) refuseCall(err error) error {
	r.refuse(err.Error())
	if _, has := status.FromError(err); has {
		return err
	}
	return status.Error(grpcCode(err), err.Error())
}

func grpcCode(err error) codes.Code {
	switch {
	case errors.Is(err, context.Canceled):
		return codes.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded
	case errors.Is(err, errBusy), errors.Is(err, errTimeout):
		return codes.Unavailable
	case errors.Is(err, decode.ErrTooLarge), errors.Is(err, errTooLong):
		return codes.ResourceExhausted
	default:
		return codes.InvalidArgument
	}
}

// rawCodec leaves messages as they are, because package decode reads them.
type rawCodec struct{}

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	body, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("otlpreceive: cannot send a %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(body)}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	body, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("otlpreceive: cannot receive a %T", v)
	}
	*body = data.Materialize()
	return nil
}

// Name says which content type the messages have.
func (rawCodec) Name() string { return "proto" }
