{
  description = "Inspect, compare and rebuild container images, with an understanding of Nix";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      forAllSystems = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
    in
    {
      packages = forAllSystems (pkgs: {
        default = pkgs.rustPlatform.buildRustPackage {
          pname = "nixdive";
          version = (builtins.fromTOML (builtins.readFile ./Cargo.toml)).package.version;
          src = self;
          cargoLock.lockFile = ./Cargo.lock;
          # The tests compare with programs and images that a build does not have.
          doCheck = false;
          meta.mainProgram = "nixdive";
        };
      });

      # A check that fails where an image breaks a rule. In a flake of your own:
      #
      #   checks.x86_64-linux.image = nixdive.lib.checkImage {
      #     inherit pkgs;
      #     image = self.packages.x86_64-linux.docker;
      #     arguments = [ "--max-size" "300MB" "--max-growth" "5%" "--baseline" "${./size.json}" ];
      #   };
      #
      # Its result holds the reports.
      lib.checkImage =
        {
          pkgs,
          image,
          arguments ? [ ],
          nixdive ? self.packages.${pkgs.stdenv.hostPlatform.system}.default,
        }:
        pkgs.runCommand "nixdive-ci" { nativeBuildInputs = [ nixdive ]; } ''
          mkdir -p $out
          nixdive ci ${image} ${pkgs.lib.escapeShellArgs arguments} \
            --output json=$out/nixdive.json \
            --output junit=$out/nixdive.xml \
            --output markdown=$out/nixdive.md
        '';

      checks = forAllSystems (pkgs: {
        hello-image = self.lib.checkImage {
          inherit pkgs;
          image = pkgs.dockerTools.buildLayeredImage {
            name = "hello";
            config.Entrypoint = [ "${pkgs.hello}/bin/hello" ];
          };
          arguments = [
            "--max-size"
            "100MB"
            "--forbid-package"
            "nix:gcc"
          ];
        };
      });
    };
}
