"""From a CT volume and a mask to radiomics features and feature maps."""
