"""What computes the network: an encoder of frames and a decoder of clips, on OpenVINO, onnxruntime or PyTorch."""
