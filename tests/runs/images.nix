# Store paths as nixpkgs makes them, of the programs of a Debian root and of some that a test compiles.
{ root, programs, stamp }:
let
  # A builder that is gone at once may be killed, and called failed.
  derive = name: script: derivation {
    inherit name stamp;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [
      "-c"
      "set -e; export PATH=/usr/bin:/bin; usr=${root}/usr; lib=$usr/lib/x86_64-linux-gnu; mkdir $out\n${script}\nsleep 0.05 & exit 0"
    ];
  };

  document = name: ''
    mkdir -p $out/share/doc/${name} $out/share/man/man1
    seq 3000 >$out/share/doc/${name}/README; seq 2000 >$out/share/man/man1/${name}.1'';

  glibc = derive "glibc-2.36" ''
    mkdir $out/lib
    for name in ld-linux-x86-64.so.2 libc.so.6 libm.so.6 libdl.so.2 libpthread.so.0 libutil.so.1 librt.so.1; do
      cp -L $lib/$name $out/lib/
    done
    ${document "glibc"}'';

  libraries = derive "libraries-1.0" ''
    mkdir $out/lib
    for name in libz.so.1 libexpat.so.1 libsqlite3.so.0 libssl.so.3 libcrypto.so.3 libffi.so.8 libtinfo.so.6 \
      libselinux.so.1 libpcre2-8.so.0 libacl.so.1 libattr.so.1 libgmp.so.10; do
      cp -L $lib/$name $out/lib/
    done
    chmod +w $out/lib/*; patchelf --set-rpath ${glibc}/lib:$out/lib $out/lib/*'';

  # Gives programs and modules the libraries of the store.
  link = files: ''
    for file in ${files}; do
      chmod +w $file; patchelf --set-rpath ${glibc}/lib:${libraries}/lib $file
      patchelf --set-interpreter ${glibc}/lib/ld-linux-x86-64.so.2 $file 2>/dev/null || true
    done'';

  bash = derive "bash-5.2" ''
    mkdir $out/bin; cp $usr/bin/bash $out/bin/; ${link "$out/bin/bash"}; ln -s bash $out/bin/sh; ${document "bash"}'';

  coreutils = derive "coreutils-9.1" ''
    mkdir $out/bin
    for name in sort tr cat head cut wc mkdir ls basename tee; do cp $usr/bin/$name $out/bin/; done
    ${link "$out/bin/*"}
    ${document "coreutils"}'';

  python = derive "python3-3.11" ''
    mkdir -p $out/bin $out/lib
    cp $usr/bin/python3.11 $out/bin/; ln -s python3.11 $out/bin/python3
    cp -r $usr/lib/python3.11 $out/lib/; chmod -R u+w $out/lib
    find $out/lib -type l -exec rm {} +; cp $usr/lib/python3.11/_sysconfigdata*.py $out/lib/python3.11/ 2>/dev/null || true
    ${link "$out/bin/python3.11 $out/lib/python3.11/lib-dynload/*.so"}
    ${document "python3"}'';

  yaml = derive "python3-yaml-6.0" ''
    mkdir -p $out/lib/python3/dist-packages; cp -r $usr/lib/python3/dist-packages/yaml $out/lib/python3/dist-packages/'';

  authorities = derive "cacert-2023" ''
    mkdir -p $out/etc/ssl/certs; cat $usr/share/ca-certificates/mozilla/*.crt >$out/etc/ssl/certs/ca-bundle.crt'';

  tzdata = derive "tzdata-2024" ''mkdir $out/share; cp -r $usr/share/zoneinfo $out/share/'';

  app = derive "app-0.1" ''cp ${/. + "${programs}/app.py"} $out/app.py; ${document "app"}'';

  entry = derive "entry-0.1" ''
    mkdir $out/bin; (echo "#!${bash}/bin/bash"; cat ${/. + "${programs}/entry"}) >$out/bin/entry; chmod +x $out/bin/entry'';

  static = derive "static-1.0" ''mkdir $out/bin; cp ${/. + "${programs}/static"} $out/bin/static'';

  plugins = derive "plugins-1.0" ''
    mkdir -p $out/lib/plugins; cp ${/. + "${programs}/plugin.so"} $out/lib/plugins/one.so; ${link "$out/lib/plugins/*"}'';

  plugged = derive "plugged-1.0" ''
    mkdir $out/bin; cp ${/. + "${programs}/plugged"} $out/bin/plugged; ${link "$out/bin/plugged"}
    mkdir $out/share; ln -s ${plugins}/lib/plugins $out/share/plugins'';

  stray = derive "stray-1.0" ''seq 50000 >$out/numbers; ln -s ${coreutils}/bin/cat $out/cat'';
in
derive "all" ''
  ln -s ${python} $out/python; ln -s ${yaml} $out/yaml; ln -s ${authorities} $out/authorities
  ln -s ${tzdata} $out/tzdata; ln -s ${app} $out/app; ln -s ${entry} $out/entry; ln -s ${coreutils} $out/coreutils
  ln -s ${static} $out/static; ln -s ${plugged} $out/plugged; ln -s ${stray} $out/stray''
